package inspect

import (
	"bytes"
	"encoding/binary"
	"image"
)

// turn is how a picture has to be turned to stand upright, as EXIF counts: 1 not at all, 2 mirrored, 3 by half, 4 both, 5 to 8
// the same with the axes swapped.
type turn int

// swaps tells whether width and height change places.
func (t turn) swaps() bool { return t >= 5 }

// apply returns the picture upright.
func (t turn) apply(picture *image.NRGBA) *image.NRGBA {
	if t <= 1 {
		return picture
	}
	width, height := picture.Bounds().Dx(), picture.Bounds().Dy()
	target := image.NewNRGBA(image.Rect(0, 0, width, height))
	if t.swaps() {
		target = image.NewNRGBA(image.Rect(0, 0, height, width))
	}
	for y := range height {
		for x := range width {
			toX, toY := t.place(x, y, width, height)
			target.SetNRGBA(toX, toY, picture.NRGBAAt(x, y))
		}
	}
	return target
}

// place returns where a pixel goes.
func (t turn) place(x, y, width, height int) (int, int) {
	right, bottom := width-1-x, height-1-y
	switch t {
	case 2:
		return right, y
	case 3:
		return right, bottom
	case 4:
		return x, bottom
	case 5:
		return y, x
	case 6:
		return bottom, x
	case 7:
		return bottom, right
	case 8:
		return y, right
	}
	return x, y
}

// orientation reads from a JPEG's EXIF how its camera was held; 1 where it does not say. Phones write pixels as the sensor has
// them.
func orientation(content []byte) turn {
	for at := 2; at+4 <= len(content) && content[0] == 0xFF && content[1] == 0xD8 && content[at] == 0xFF; {
		length := int(binary.BigEndian.Uint16(content[at+2:]))
		end := at + 2 + length
		if length < 2 || end > len(content) || content[at+1] == 0xDA { // the pixels begin
			break
		}
		if exif, ok := bytes.CutPrefix(content[at+4:end], []byte("Exif\x00\x00")); ok && content[at+1] == 0xE1 {
			return readOrientation(exif)
		}
		at = end
	}
	return 1
}

// readOrientation looks for the tag in the first directory of a TIFF header.
func readOrientation(tiff []byte) turn {
	const tag, entry = 0x0112, 12
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	first := int(order.Uint32(tiff[4:]))
	if first < 8 || first+2 > len(tiff) {
		return 1
	}
	entries := tiff[first+2:]
	for range order.Uint16(tiff[first:]) {
		if len(entries) < entry {
			break
		}
		if value := turn(order.Uint16(entries[8:])); order.Uint16(entries) == tag && value >= 1 && value <= 8 {
			return value
		}
		entries = entries[entry:]
	}
	return 1
}
