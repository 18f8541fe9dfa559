package throttle

const LongestFloor = longestFloor
