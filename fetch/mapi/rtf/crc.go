package rtf

import "hash/crc32"

// checksum is a CRC-32 that begins with 0 and is not inverted [MS-OXRTFCP].
func checksum(data []byte) uint32 {
	// The library inverts before and after; inverting both away gives the plain register.
	return ^crc32.Update(^uint32(0), crc32.IEEETable, data)
}
