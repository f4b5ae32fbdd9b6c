package inspect

import (
	"bytes"
	"image"
	_ "image/gif"
	"image/jpeg"
	"image/png"

	scale "golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/media"
)

const (
	// maxPixels bounds what is decoded. A pixel takes at most 16 bytes on the way, of a progressive JPEG; the function has memory for
	// that.
	maxPixels = 50_000_000
	// quality is that of thumbnails in JPEG.
	quality = 80
)

// sizes are the thumbnails: the longest side in pixels. A smaller picture keeps its size.
var sizes = []struct {
	name    string
	longest int
}{{"small", 320}, {"large", 1080}}

// draw decodes a picture and draws its thumbnails, upright. The size is read, and refused, before anything is decoded. Of what
// moves only the first picture is drawn.
func draw(content []byte) (width, height int, drawn []media.Drawn, code fault.Code) {
	config, _, err := image.DecodeConfig(bytes.NewReader(content))
	switch {
	case err != nil || config.Width < 1 || config.Height < 1:
		return 0, 0, nil, fault.MediaDamaged
	case config.Width > maxPixels/config.Height:
		return 0, 0, nil, fault.MediaPixels
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return 0, 0, nil, fault.MediaDamaged
	}
	upright := orientation(content)
	for i := len(sizes) - 1; i >= 0; i-- { // each from the larger one: the full picture is gone through once
		smaller := shrink(decoded, sizes[i].longest)
		decoded = smaller
		thumbnail, err := encode(sizes[i].name, upright.apply(smaller))
		if err != nil {
			return 0, 0, nil, fault.MediaDamaged
		}
		drawn = append([]media.Drawn{thumbnail}, drawn...)
	}
	width, height = config.Width, config.Height
	if upright.swaps() {
		width, height = height, width
	}
	return width, height, drawn, ""
}

// shrink draws the picture anew, so that its longest side is at most so long. All that the result has in common with the
// original is what can be seen.
func shrink(original image.Image, longest int) *image.NRGBA {
	bounds := original.Bounds()
	width, height := bounds.Dx(), bounds.Dy()
	if most := max(width, height); most > longest {
		width, height = max(1, width*longest/most), max(1, height*longest/most)
	}
	target := image.NewNRGBA(image.Rect(0, 0, width, height))
	if width == bounds.Dx() && height == bounds.Dy() {
		scale.Draw(target, target.Bounds(), original, bounds.Min, scale.Src)
		return target
	}
	scale.BiLinear.Scale(target, target.Bounds(), original, bounds, scale.Src, nil)
	return target
}

// encode writes a thumbnail: a JPEG, or a PNG where one can see through it.
func encode(name string, picture *image.NRGBA) (media.Drawn, error) {
	made := media.Drawn{Thumbnail: media.Thumbnail{Name: name, ContentType: "image/jpeg", Width: picture.Bounds().Dx(), Height: picture.Bounds().Dy()}}
	var buffer bytes.Buffer
	var err error
	if picture.Opaque() {
		err = jpeg.Encode(&buffer, picture, &jpeg.Options{Quality: quality})
	} else {
		made.ContentType = "image/png"
		err = png.Encode(&buffer, picture)
	}
	made.Content = buffer.Bytes()
	return made, err
}
