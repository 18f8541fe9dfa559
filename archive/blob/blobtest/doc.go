/*
Package blobtest is the suite that every bucket passes (Run), a bucket in memory
(Memory) and a bucket that fails to order (Faulty), for the tests of everything
that stands on buckets. It must never know a particular bucket.

A test that dies at every call of a bucket in turn:

	for n := 1; ; n++ {
		memory := new(blobtest.Memory)
		faulty := blobtest.NewFaulty(memory)
		faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		if err := script(faulty); err == nil {
			break // the script makes fewer than n calls
		}
		check(memory)
	}
*/
package blobtest
