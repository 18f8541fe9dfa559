package s3_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mailbrick/archive/blob/s3"
)

const (
	credentialsFile = `# comment
[other]
aws_access_key_id = of other

[default]
aws_access_key_id = of file
aws_secret_access_key=secret = of file
; comment
aws_session_token =
`
	configFile = `[profile other]
region = north
s3 =
  region = nested
[default]
region = south
`
)

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("credentials", credentialsFile)
	write("config", configFile)
	type env map[string]string
	tests := []struct {
		name  string
		given s3.Options
		env   env
		want  s3.Options
	}{
		{"nothing", s3.Options{}, env{}, s3.Options{}},
		{"variables", s3.Options{}, env{
			"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c", "AWS_REGION": "r", "AWS_ENDPOINT_URL": "https://e",
		}, s3.Options{AccessKey: "a", SecretKey: "b", SessionToken: "c", Region: "r", Endpoint: "https://e"}},
		{"the nearer variable", s3.Options{}, env{"AWS_REGION": "r", "AWS_DEFAULT_REGION": "q", "AWS_ENDPOINT_URL_S3": "e", "AWS_ENDPOINT_URL": "f"},
			s3.Options{Region: "r", Endpoint: "e"}},
		{"files", s3.Options{}, env{"HOME": home}, s3.Options{AccessKey: "of file", SecretKey: "secret = of file", Region: "south"}},
		{"files on windows", s3.Options{}, env{"USERPROFILE": home}, s3.Options{AccessKey: "of file", SecretKey: "secret = of file", Region: "south"}},
		{"variables before files", s3.Options{}, env{"HOME": home, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "q"},
			s3.Options{AccessKey: "a", SecretKey: "b", Region: "q"}},
		{"half of a pair is none", s3.Options{}, env{"HOME": home, "AWS_ACCESS_KEY_ID": "a"},
			s3.Options{AccessKey: "of file", SecretKey: "secret = of file", Region: "south"}},
		{"profile", s3.Options{}, env{"HOME": home, "AWS_PROFILE": "other"}, s3.Options{AccessKey: "of other", Region: "north"}},
		{"named files", s3.Options{}, env{
			"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, ".aws", "credentials"), "AWS_CONFIG_FILE": filepath.Join(home, ".aws", "config"),
		}, s3.Options{AccessKey: "of file", SecretKey: "secret = of file", Region: "south"}},
		{"what is given stays", s3.Options{AccessKey: "a", SecretKey: "b", Region: "r", Endpoint: "e"},
			env{"HOME": home, "AWS_SESSION_TOKEN": "c", "AWS_ENDPOINT_URL": "f"}, s3.Options{AccessKey: "a", SecretKey: "b", Region: "r", Endpoint: "e"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := s3.FromEnvironment(tt.given, func(name string) string { return tt.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessKey != tt.want.AccessKey || got.SecretKey != tt.want.SecretKey || got.SessionToken != tt.want.SessionToken ||
				got.Region != tt.want.Region || got.Endpoint != tt.want.Endpoint {
				t.Errorf("got key %q secret %q token %q region %q endpoint %q", got.AccessKey, string(got.SecretKey), string(got.SessionToken), got.Region, got.Endpoint)
			}
		})
	}
}

func TestFromEnvironmentRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]string{
		"profile that is not there": {"HOME": t.TempDir(), "AWS_PROFILE": "nobody"},
		"file that is not there":    {"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "nothing")},
		"config that is not there":  {"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "nothing")},
	}
	for name, env := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s3.FromEnvironment(s3.Options{}, func(name string) string { return env[name] })
			if err == nil {
				t.Error("no error")
			}
			if env["AWS_PROFILE"] != "" && !errors.Is(err, s3.ErrDenied) {
				t.Errorf("got %v", err)
			}
		})
	}
}
