package objects

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
)

// body is what a put brings, whole and checked, in a file of its own.
type body struct {
	*os.File
	size int64
}

// remove forgets the file.
func (b *body) remove() {
	_ = b.File.Close()
	_ = os.Remove(b.Name()) // the next start removes what is left
}

// receive reads the body of a put and holds it to its length and its checksums. Nothing of it is an object before that.
func (s *Service) receive(r *http.Request, signed claim) (*body, error) {
	if r.ContentLength < 0 {
		return nil, errLength
	}
	if r.ContentLength > MaxObject {
		return nil, errTooLarge
	}
	file, err := os.CreateTemp(s.spool, "tokenim-object-")
	if err != nil {
		return nil, err
	}
	b := &body{File: file}
	if err := b.fill(r, signed); err != nil {
		b.remove()
		return nil, err
	}
	return b, nil
}

func (b *body) fill(r *http.Request, signed claim) error {
	hash := sha256.New()
	var err error
	b.size, err = io.Copy(io.MultiWriter(b.File, hash), r.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && b.size != r.ContentLength {
		return errIncomplete
	}
	if err != nil {
		return err
	}
	sum := hash.Sum(nil)
	if want := r.Header.Get("X-Amz-Checksum-Sha256"); want != "" && want != base64.StdEncoding.EncodeToString(sum) {
		return errDigest
	}
	if signed.payload != unsignedPayload && signed.payload != hex.EncodeToString(sum) {
		return errPayload
	}
	_, err = b.Seek(0, io.SeekStart)
	return err
}
