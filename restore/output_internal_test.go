package restore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestOutputOfManyFolders writes into more folders than are held open, from one to the next and again.
func TestOutputOfManyFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, err := openOutput(dir)
	if err != nil {
		t.Fatal(err)
	}
	const folders = mostHeld + 20
	for n := range 2 * folders {
		name := fmt.Sprintf("%d/%d", n%folders, n)
		err := o.file(name, nil, func(w io.Writer) error {
			_, err := io.WriteString(w, name)
			return err
		})
		if err != nil || len(o.held) > mostHeld {
			t.Fatal(len(o.held), err)
		}
	}
	if err := o.finish(); err != nil || len(o.held) > 0 {
		t.Fatal(len(o.held), err)
	}
	list, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil || strings.Count(string(list), "\n") != 2*folders+1 {
		t.Errorf("%d lines, %v", strings.Count(string(list), "\n"), err)
	}
	for n := range 2 * folders {
		name := fmt.Sprintf("%d/%d", n%folders, n)
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != name {
			t.Fatalf("%s: %q, %v", name, text, err)
		}
	}
}

// TestOutputIsOnes: a second restore does not sweep away what the first is writing.
func TestOutputIsOnes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := openOutput(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := openOutput(dir)
	if (runtime.GOOS == "linux" || runtime.GOOS == "darwin") && !errors.Is(err, errBusy) {
		t.Errorf("into a folder that is written into: %v", err)
	}
	if second != nil {
		_ = second.close()
	}
	if err := first.finish(); err != nil {
		t.Error(err)
	}
	third, err := openOutput(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.finish(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, manifestName)); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("%q, %v", text, err)
	}
}
