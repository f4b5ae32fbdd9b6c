package fault

import "maps"

func init() { maps.Copy(catalogue, mediaEntries) } // a file of their own: one has 500 lines at most

var (
	hintUpload = Text{
		"Begin another upload with POST /media, for the content that you mean.",
		"请用 POST /media 为正确的内容重新开始上传。"}
	hintConvert = Text{
		"Convert it to a plain picture, sound or video and upload that, or send it with the type file.",
		"请将其转换为普通的图片、音频或视频后重新上传，或以 file 类型发送。"}
)

// mediaEntries are what the catalogue says of uploads, and of why they are not taken.
var mediaEntries = map[Code]Entry{
	MediaNotFound: {Status: 404,
		Title:  Text{"Media not found", "找不到媒体"},
		Detail: Text{"The user has no such media, or the message shows none.", "该用户没有此媒体，或该消息不含媒体。"},
		Hint:   Text{"Use the media_id that POST /media has answered to this user, or the number of a message that shows a media.", "请使用 POST /media 返回给该用户的 media_id，或含有媒体的消息的序号。"}},
	MediaNotReady: {Status: 429, Retryable: true,
		Title:  Text{"Media not ready", "媒体尚未就绪"},
		Detail: Text{"The media is %s: it can be sent when it was uploaded and checked.", "媒体的状态为 %s：上传并检查完成后才能发送。"},
		Hint:   Text{"Finish the upload, then send again after the time in Retry-After.", "请完成上传，并在 Retry-After 指明的时间后重新发送。"}},
	MediaExpired: {Status: 409, Hint: hintUpload,
		Title:  Text{"Media expired", "媒体已过期"},
		Detail: Text{"The media was not sent within seven days.", "该媒体未在七天内发送。"}},
	MediaKindDiffers: {Status: 422,
		Title:  Text{"Media of another type", "媒体类型不符"},
		Detail: Text{"The media is of the type %s, and the message of the type %s.", "媒体的类型为 %s，而消息的类型为 %s。"},
		Hint:   Text{"Send it with the type that it was uploaded as.", "请使用上传时的类型发送。"}},
	MediaTypeUnsupported: {Status: 422, Hint: hintConvert,
		Title:  Text{"Media type not supported", "不支持的媒体格式"},
		Detail: Text{"%s is no content type for the type %s.", "%s 不是 %s 类型支持的 content_type。"}},
	MediaEmpty: {Status: 422, Hint: hintUpload,
		Title:  Text{"Media empty", "媒体为空"},
		Detail: Text{"The media has no bytes.", "媒体没有内容。"}},
	MediaTooLarge: {Status: 413,
		Title:  Text{"Media too large", "媒体过大"},
		Detail: Text{"The media has %d bytes; the most for the type %s is %d.", "媒体有 %d 字节；%s 类型最多为 %d。"},
		Hint:   Text{"Make it smaller, or split it.", "请缩小或拆分后再上传。"}},
	MediaReplaced: {Status: 422, Hint: hintUpload,
		Title:  Text{"Upload replaced", "上传内容被替换"},
		Detail: Text{"Something else was uploaded in the media's place while it was checked.", "检查期间该媒体被其他内容替换。"}},
	MediaAltered: {Status: 422, Hint: hintUpload,
		Title:  Text{"Media is not what was declared", "媒体与声明不符"},
		Detail: Text{"What was uploaded has another size or another SHA-256 than was declared.", "上传内容的大小或 SHA-256 与声明不同。"}},
	MediaMislabelled: {Status: 422, Hint: hintUpload,
		Title:  Text{"Media mislabelled", "媒体格式标注错误"},
		Detail: Text{"The content is not of the content_type that was declared.", "内容与声明的 content_type 不符。"}},
	MediaHTML: {Status: 422, Hint: hintConvert,
		Title:  Text{"Media is a web page", "媒体是网页"},
		Detail: Text{"The content is HTML, which a browser would run.", "内容是浏览器会执行的 HTML。"}},
	MediaSVG: {Status: 422, Hint: hintConvert,
		Title:  Text{"Media is an SVG", "媒体是 SVG"},
		Detail: Text{"The content is an SVG, which can have scripts in it.", "内容是可能包含脚本的 SVG。"}},
	MediaExecutable: {Status: 422, Hint: hintConvert,
		Title:  Text{"Media is a program", "媒体是可执行程序"},
		Detail: Text{"The content is a program or a script.", "内容是程序或脚本。"}},
	MediaPolyglot: {Status: 422, Hint: hintConvert,
		Title:  Text{"Media is several things at once", "媒体同时是多种格式"},
		Detail: Text{"The content can be read as something else besides: an archive, a document, a page or data behind its end.", "内容还可以被当作其他格式读取：压缩包、文档、网页，或在结尾之后还有数据。"}},
	MediaPixels: {Status: 422,
		Title:  Text{"Too many pixels", "像素过多"},
		Detail: Text{"The picture has more than 50 million pixels.", "图片超过 5000 万像素。"},
		Hint:   Text{"Make the picture smaller, or send it with the type file.", "请缩小图片，或以 file 类型发送。"}},
	MediaDamaged: {Status: 422, Hint: hintUpload,
		Title:  Text{"Media damaged", "媒体已损坏"},
		Detail: Text{"The content breaks off or cannot be decoded.", "内容不完整或无法解码。"}},
	MediaUnchecked: {Status: 422, Hint: hintUpload,
		Title:  Text{"Media could not be checked", "媒体无法检查"},
		Detail: Text{"The check of the content failed several times.", "对内容的检查多次失败。"}},
}
