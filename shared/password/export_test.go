package password

import "fmt"

// Occupy takes every slot for hashing until the returned function is called.
func Occupy() (release func()) {
	for range concurrent {
		slots <- struct{}{}
	}
	return func() {
		for range concurrent {
			<-slots
		}
	}
}

// Reparse reads a hash and writes it again.
func Reparse(hash string) (string, error) {
	read, err := parse(hash)
	if err != nil {
		return "", err
	}
	if !read.bounded() {
		return "", fmt.Errorf("out of bounds: %+v", read)
	}
	return read.String(), nil
}

// Common returns the common passwords.
func Common() map[string]bool { return common() }
