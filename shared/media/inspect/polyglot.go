package inspect

import (
	"bytes"
	"encoding/binary"
)

// A polyglot is a content that is a picture for one program and something else for another. What makes a browser run it, or
// what makes it an archive or a document, leaves marks that pictures have no need of.

// tags would run if a browser took the content for a page. They are looked for everywhere, in any case: comments and metadata
// of pictures are where they are hidden. Six letters come by chance once in some terabytes.
var tags = [][]byte{[]byte("<script"), []byte("<iframe"), []byte("<object"), []byte("<html>"), []byte("<html "), []byte("<body>"), []byte("<body "),
	[]byte("<!doctype html"), []byte("<svg>"), []byte("<svg "), []byte("<?php"), []byte("javascript:")}

// archives begin so, wherever in a file.
var archives = [][]byte{[]byte("Rar!\x1a\x07"), []byte("7z\xbc\xaf\x27\x1c"), []byte("\xfd7zXZ\x00")}

// pdfReach is how far into a file readers look for the beginning of a PDF.
const pdfReach = 1 << 10

// alsoSomethingElse tells whether a content has marks of something else than a picture, a video or a sound.
func alsoSomethingElse(head, tail []byte) bool {
	if bytes.Contains(head[:min(len(head), pdfReach)], []byte("%PDF-")) || endsAsZip(tail) {
		return true
	}
	for _, part := range [][]byte{head, tail} {
		lower := bytes.ToLower(part)
		for _, tag := range tags {
			if bytes.Contains(lower, tag) {
				return true
			}
		}
		for _, archive := range archives {
			if bytes.Contains(part, archive) {
				return true
			}
		}
	}
	return false
}

// endsAsZip tells whether a zip's directory is at the end: zips, JARs and office documents are read from there.
func endsAsZip(tail []byte) bool {
	const length = 22
	last := tail[max(0, len(tail)-length-1<<16):]
	for at := len(last); ; {
		if at = bytes.LastIndex(last[:at], []byte("PK\x05\x06")); at < 0 {
			return false
		}
		if rest := last[at:]; len(rest) >= length && int(binary.LittleEndian.Uint16(rest[20:])) <= len(rest)-length {
			return true
		}
	}
}

// formatEnd returns where a picture's format ends: before its bytes do, where what follows is for somebody else; behind them, where
// the picture breaks off. JPEGs end with their bytes: cameras put previews and short films behind them, and what breaks off in one
// is found when it is decoded.
func formatEnd(contentType string, content []byte) int {
	switch contentType {
	case "image/png":
		return pngEnd(content)
	case "image/webp":
		return webpEnd(content)
	case "image/gif":
		return gifEnd(content)
	}
	return len(content)
}

// pngEnd returns where the chunk IEND ends.
func pngEnd(content []byte) int {
	const signature, frame = 8, 12 // a chunk has four bytes each of length, type and checksum
	for at := signature; len(content)-at >= frame; {
		length := int(binary.BigEndian.Uint32(content[at:]))
		kind := string(content[at+4 : at+8])
		if at += frame + length; kind == "IEND" {
			return at
		}
	}
	return len(content) + 1
}

// webpEnd returns where the RIFF chunk ends, padded to an even length.
func webpEnd(content []byte) int {
	if len(content) < 12 {
		return len(content) + 1
	}
	length := int(binary.LittleEndian.Uint32(content[4:]))
	return 8 + length + length%2
}

// gifEnd returns where the trailer ends, or where something else stands in the place of a block.
func gifEnd(content []byte) int {
	const header, descriptor = 13, 10
	if len(content) < header {
		return len(content) + 1
	}
	at := header + colors(content[10])
	for at < len(content) {
		switch content[at] {
		case 0x3B:
			return at + 1
		case 0x21: // extension: a label, then blocks
			at += 2
		case 0x2C: // image: its descriptor, colours, the code size, then blocks
			if at+descriptor > len(content) {
				return len(content) + 1
			}
			at += descriptor + colors(content[at+descriptor-1]) + 1
		default:
			return at
		}
		for at < len(content) && content[at] != 0 {
			at += 1 + int(content[at])
		}
		at++ // the empty block
	}
	return len(content) + 1
}

// colors returns the bytes of a colour table, by the flags that announce it.
func colors(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}
