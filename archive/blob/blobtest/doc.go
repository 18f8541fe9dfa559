/*
Package blobtest is the suite that every bucket passes (Run), a bucket in memory
(Memory) and a bucket that fails to order (Faulty), for the tests of everything
that stands on buckets. It must never know a particular bucket.
*/
package blobtest
