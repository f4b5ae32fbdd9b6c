package fault

// Wrong is a field whose value is not allowed, and why: whoever sent it shall not have to guess.
func Wrong(name string, why Text) Field {
	return Field{Name: name, Code: FieldInvalid, Args: []any{name}, More: why}
}

// Why a value is not allowed. What only one package says stands there.
var (
	MustBeFuture = Text{"It has to lie in the future.", "该时间须在将来。"}
	MustBePast   = Text{"It has to lie in the past.", "该时间须在过去。"}
	// TooFar says that a time has a year of more than four digits.
	TooFar = Text{"It has to lie before the year 10000.", "该时间须早于公元 10000 年。"}
	// InGroupsOnly says that a value goes with messages to groups alone.
	InGroupsOnly = Text{"It is for messages to groups only.", "它仅适用于群消息。"}
	// NotPlain and NoHandle say what names have to be (name.Plain, name.Handle).
	NotPlain = Text{
		"It has to show something, on one line, without characters that turn the direction of text.",
		"须有可见内容，只占一行，且不含改变文字方向的字符。"}
	NoHandle = Text{
		`It has to show something, on one line, without blanks around it and without / \ ? # and %; and it is neither . nor ..`,
		`须有可见内容，只占一行，首尾无空白，且不含 / \ ? # %，也不能是 . 或 ..`}
	// NoGroupID says that a value is no ID of a group.
	NoGroupID = Text{"It is the ID of a group: g_ and 22 letters and digits.", "须为群组 ID：g_ 加 22 个字母或数字。"}
	// NoWebAddress says that a value is no address of a picture.
	NoWebAddress = Text{"It is an address with http or https, or without a scheme.", "须为使用 http 或 https 的地址，或不带协议的地址。"}
	// NotJSON says that a value cannot be written as JSON.
	NotJSON = Text{"It cannot be written as JSON.", "无法写成 JSON。"}
)

// OfType says that a value does not go with the type that another field names.
func OfType(kind string) Text {
	return Text{"It does not go with the type " + kind + ".", "它不适用于类型 " + kind + "。"}
}

// OneOf says that a value has to be one of the choices.
func OneOf(choices string) Text {
	return Text{"It is one of: " + choices + ".", "可选值：" + choices + "。"}
}

// Matching says that a value has to match a pattern.
func Matching(pattern string) Text {
	return Text{"It has to match " + pattern + ".", "须匹配 " + pattern + "。"}
}
