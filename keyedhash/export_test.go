package keyedhash

// MACOf is how the scheme signs.
func MACOf(s *Scheme) MAC { return s.mac }
