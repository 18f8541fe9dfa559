package blobtest_test

import (
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(*testing.T) blob.Bucket { return new(blobtest.Memory) })
}

func TestFaultyWithoutOrders(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(*testing.T) blob.Bucket { return blobtest.NewFaulty(new(blobtest.Memory)) })
}
