package fault

import (
	"maps"
	"slices"
)

// The codes, by what they are about. The catalogue below says the rest.
const (
	// Credentials.
	APIKeyMissing      Code = "api_key_missing"
	APIKeyMalformed    Code = "api_key_malformed"
	APIKeyUnknown      Code = "api_key_unknown"
	APIKeyExpired      Code = "api_key_expired"
	APIKeyRevoked      Code = "api_key_revoked"
	CredentialConflict Code = "credential_conflict"
	TokenInvalid       Code = "token_invalid"
	TokenExpired       Code = "token_expired"
	TokenRevoked       Code = "token_revoked"
	PermissionDenied   Code = "permission_denied"
	NotYourself        Code = "not_yourself"
	ScopeExceedsKey    Code = "scope_exceeds_key"
	SourcesExceedKey   Code = "sources_exceed_key"
	ExpiryExceedsKey   Code = "expiry_exceeds_key"
	OriginNotAllowed   Code = "origin_not_allowed"
	SourceNotAllowed   Code = "source_not_allowed"
	APIKeyNeeded       Code = "api_key_needed"
	SessionNeeded      Code = "session_needed"
	SessionInvalid     Code = "session_invalid"
	SessionExpired     Code = "session_expired"
	StepUpRequired     Code = "step_up_required"
	CrossSiteRequest   Code = "cross_site_request"
	AppNotChosen       Code = "app_not_chosen"
	TicketUsed         Code = "ticket_used"

	// The form of the input.
	BodyMissing    Code = "body_missing"
	BodyNotJSON    Code = "body_not_json"
	BodyNotObject  Code = "body_not_object"
	BodyTooLarge   Code = "body_too_large"
	FieldDuplicate Code = "field_duplicate"
	FieldUnknown   Code = "field_unknown"
	FieldMissing   Code = "field_missing"
	FieldType      Code = "field_type"
	FieldTooShort  Code = "field_too_short"
	FieldTooLong   Code = "field_too_long"
	FieldRange     Code = "field_out_of_range"
	FieldInvalid   Code = "field_invalid"
	TextInvalid    Code = "text_invalid"
	CursorInvalid  Code = "cursor_invalid"

	// Users and keys.
	UsernameInvalid     Code = "username_invalid"
	UsernameReserved    Code = "username_reserved"
	UsernameTaken       Code = "username_taken"
	UserNotFound        Code = "user_not_found"
	KeyNotFound         Code = "key_not_found"
	KeyNotActive        Code = "key_not_active"
	KeyRotated          Code = "key_rotated"
	CIDRInvalid         Code = "cidr_invalid"
	ScopeUnknown        Code = "scope_unknown"
	IdempotencyConflict Code = "idempotency_conflict"

	// Passwords and guesses.
	PasswordTooShort Code = "password_too_short"
	PasswordTooLong  Code = "password_too_long"
	PasswordCommon   Code = "password_common"
	PasswordOwnWords Code = "password_own_words"
	PasswordInvalid  Code = "password_invalid"
	TooManyAttempts  Code = "too_many_attempts"

	// Accounts and apps.
	InvalidCredentials   Code = "invalid_credentials"
	AccountNotActivated  Code = "account_not_activated"
	SecondFactorRequired Code = "second_factor_required"
	SecondFactorWrong    Code = "second_factor_wrong"
	SecondFactorOn       Code = "second_factor_on"
	SecondFactorOff      Code = "second_factor_off"
	LinkInvalid          Code = "link_invalid"
	EmailInvalid         Code = "email_invalid"
	EmailTaken           Code = "email_taken"
	AccountNotFound      Code = "account_not_found"
	MemberNotFound       Code = "member_not_found"
	MemberExists         Code = "member_exists"
	InvitationNotFound   Code = "invitation_not_found"
	LastOwner            Code = "last_owner"
	RoleTooHigh          Code = "role_too_high"
	SessionNotFound      Code = "session_not_found"
	AppNotFound          Code = "app_not_found"
	AppDeleted           Code = "app_deleted"
	AppNotDeleted        Code = "app_not_deleted"
	OriginInvalid        Code = "origin_invalid"
	TooMany              Code = "too_many"

	// Messages.
	MessageEmpty         Code = "message_empty"
	MessageTooLarge      Code = "message_too_large"
	RecipientIsSender    Code = "recipient_is_sender"
	KnownAhead           Code = "known_ahead"
	KnownTooOld          Code = "known_too_old"
	ClientIDConflict     Code = "client_id_conflict"
	ConversationBusy     Code = "conversation_busy"
	ConversationNotFound Code = "conversation_not_found"
	SequenceAhead        Code = "sequence_ahead"

	// The socket.
	FrameNotJSON  Code = "frame_not_json"
	ActionMissing Code = "action_missing"
	ActionUnknown Code = "action_unknown"

	// Routes and the service.
	RouteNotFound    Code = "route_not_found"
	MethodNotAllowed Code = "method_not_allowed"
	Unavailable      Code = "service_unavailable"
	Internal         Code = "internal_error"
)

// Codes returns every code of the catalogue, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(catalogue)) }

var (
	hintKey = Text{
		"Send the key as \"api_key\" in the JSON body, or as \"Authorization: Bearer\", or as \"X-Api-Key\".",
		"请将密钥放在 JSON 请求体的 \"api_key\" 中，或放在 \"Authorization: Bearer\" 或 \"X-Api-Key\" 请求头中。"}
	hintNewKey = Text{
		"Create a new key with POST /keys, or use another one.",
		"请用 POST /keys 创建新密钥，或改用其他密钥。"}
	hintNewToken = Text{
		"Have your backend mint a new token with POST /users/{id}/tokens.",
		"请让后端用 POST /users/{id}/tokens 签发新令牌。"}
	hintFields = Text{
		"Compare the request with the operation's description in /openapi.json.",
		"请对照 /openapi.json 中该操作的说明检查请求。"}
	hintGrant = Text{
		"Use a key that has this permission, or have one made by a key with keys:manage.",
		"请使用具有该权限的密钥，或由具有 keys:manage 权限的密钥创建一个。"}
	hintSync = Text{
		"Read the conversation's history from the last sequence you have, then send again with the same client_id.",
		"请从已有的最后一个序号起读取会话历史，然后用相同的 client_id 重新发送。"}
	hintRetry = Text{
		"Send the same request again after the time in Retry-After; with a client_id it has one effect.",
		"请在 Retry-After 指明的时间后重发同一请求；带有 client_id 时只会生效一次。"}
	hintPassword = Text{
		"Choose a password that nobody else would, such as a few unrelated words.",
		"请选择别人想不到的密码，例如几个互不相关的词语。"}
	hintLogin = Text{
		"Log in again with POST /login.",
		"请用 POST /login 重新登录。"}
	hintFrame = Text{
		"A frame is one JSON object such as {\"action\": \"ping\", \"id\": \"1\"}.",
		"每一帧是一个 JSON 对象，例如 {\"action\": \"ping\", \"id\": \"1\"}。"}
)

var catalogue = map[Code]Entry{
	APIKeyMissing: {Status: 401, Hint: hintKey,
		Title:  Text{"No API key", "缺少 API 密钥"},
		Detail: Text{"The request carries no API key and no user token.", "请求中没有 API 密钥，也没有用户令牌。"}},
	APIKeyMalformed: {Status: 401,
		Title:  Text{"API key mistyped", "API 密钥格式错误"},
		Detail: Text{"The API key does not have the right form or fails its checksum, so it was mistyped or cut.", "API 密钥的格式不正确或未通过校验，可能输入有误或被截断。"},
		Hint:   Text{"Copy the whole key again, from \"tk_\" to its last character.", "请重新完整复制密钥，从 \"tk_\" 到最后一个字符。"}},
	APIKeyUnknown: {Status: 401, Hint: hintNewKey,
		Title:  Text{"Unknown API key", "未知的 API 密钥"},
		Detail: Text{"The API key is well formed, but no such key exists here.", "API 密钥格式正确，但此处不存在该密钥。"}},
	APIKeyExpired: {Status: 401, Hint: hintNewKey,
		Title:  Text{"API key expired", "API 密钥已过期"},
		Detail: Text{"The API key expired at %s.", "API 密钥已于 %s 过期。"}},
	APIKeyRevoked: {Status: 401, Hint: hintNewKey,
		Title:  Text{"API key revoked", "API 密钥已吊销"},
		Detail: Text{"The API key has been revoked.", "该 API 密钥已被吊销。"}},
	CredentialConflict: {Status: 400,
		Title:  Text{"Two different credentials", "凭证互相矛盾"},
		Detail: Text{"The request carries more than one credential, and they differ.", "请求携带了多个不同的凭证。"},
		Hint:   Text{"Send one credential, in one place.", "请只在一处携带一个凭证。"}},
	TokenInvalid: {Status: 401, Hint: hintNewToken,
		Title:  Text{"User token invalid", "用户令牌无效"},
		Detail: Text{"The user token is not one that TokenIM signed, or it was changed.", "该用户令牌不是由 TokenIM 签发的，或已被改动。"}},
	TokenExpired: {Status: 401, Hint: hintNewToken,
		Title:  Text{"User token expired", "用户令牌已过期"},
		Detail: Text{"The user token expired at %s.", "用户令牌已于 %s 过期。"}},
	TokenRevoked: {Status: 401, Hint: hintNewToken,
		Title:  Text{"User token revoked", "用户令牌已吊销"},
		Detail: Text{"The user token, its user or the key that minted it has been revoked.", "该用户令牌、其用户或签发它的密钥已被吊销。"}},
	PermissionDenied: {Status: 403, Hint: hintGrant,
		Title:  Text{"Permission missing", "缺少权限"},
		Detail: Text{"This credential lacks the permission %s.", "该凭证缺少权限 %s。"}},
	NotYourself: {Status: 403,
		Title:  Text{"Another user's data", "他人的数据"},
		Detail: Text{"A user token acts for its own user only.", "用户令牌只能代表其本人操作。"},
		Hint:   Text{"Use the ID of the token's own user, or an API key.", "请使用令牌所属用户的 ID，或改用 API 密钥。"}},
	ScopeExceedsKey: {Status: 403,
		Title:  Text{"A key cannot grant what it lacks", "密钥不能授予自身没有的权限"},
		Detail: Text{"The new key would have the scope %s, which the key that creates it lacks.", "新密钥将拥有 %s 权限，而创建它的密钥没有该权限。"},
		Hint:   Text{"Ask for scopes that the creating key has itself.", "请只申请创建者密钥自身拥有的权限。"}},
	SourcesExceedKey: {Status: 403,
		Title:  Text{"A key cannot grant addresses it lacks", "密钥不能允许自身不可用的地址"},
		Detail: Text{"The new key could be used from addresses from which the key that creates it may not be used.", "新密钥将可从创建它的密钥不允许使用的地址使用。"},
		Hint:   Text{"Name ranges in \"allowed_cidrs\" that each lie within one of the creating key's, or log in and make the key with a session.", "请在 \"allowed_cidrs\" 中填写位于创建者密钥某一范围之内的地址范围，或登录后用会话创建。"}},
	ExpiryExceedsKey: {Status: 403,
		Title:  Text{"A key cannot outlive its maker", "密钥不能比其创建者更长久"},
		Detail: Text{"The new key would work after %s, when the key that creates it expires.", "新密钥在 %s（创建它的密钥的过期时间）之后仍将有效。"},
		Hint:   Text{"Name an earlier \"expires_at\", or log in and make the key with a session.", "请将 \"expires_at\" 提前，或登录后用会话创建。"}},
	OriginNotAllowed: {Status: 403,
		Title:  Text{"Origin not allowed", "来源不被允许"},
		Detail: Text{"Pages of this origin may not open sockets of this app.", "该来源的网页不能打开此应用的连接。"},
		Hint:   Text{"Add the origin to the app's allowed origins.", "请将该来源加入应用的允许来源列表。"}},
	SourceNotAllowed: {Status: 403,
		Title:  Text{"Address not allowed", "来源地址不被允许"},
		Detail: Text{"The API key may not be used from the address that this request came from.", "该 API 密钥不允许从此请求的来源地址使用。"},
		Hint:   Text{"Use it from one of its allowed_cidrs, or rotate it with others.", "请从其 allowed_cidrs 内的地址使用，或在轮换时更改该列表。"}},
	APIKeyNeeded: {Status: 403,
		Title:  Text{"An API key is needed", "需要 API 密钥"},
		Detail: Text{"A user token carries the API key that minted it, and a developer's session has none.", "用户令牌带有签发它的 API 密钥，而开发者会话没有密钥。"},
		Hint:   Text{"Mint the token with an API key that has tokens:manage.", "请使用具有 tokens:manage 权限的 API 密钥签发令牌。"}},
	SessionNeeded: {Status: 401, Hint: hintLogin,
		Title:  Text{"A developer's session is needed", "需要开发者会话"},
		Detail: Text{"API keys and user tokens do not work here: this is for developers who are logged in.", "此处不接受 API 密钥和用户令牌，仅供已登录的开发者使用。"}},
	SessionInvalid: {Status: 401, Hint: hintLogin,
		Title:  Text{"Session invalid", "会话无效"},
		Detail: Text{"There is no such session, or it has been ended.", "会话不存在，或已被结束。"}},
	SessionExpired: {Status: 401, Hint: hintLogin,
		Title:  Text{"Session expired", "会话已过期"},
		Detail: Text{"The session was idle for too long or has reached its greatest age.", "会话闲置过久或已达到最长期限。"}},
	StepUpRequired: {Status: 403,
		Title:  Text{"Confirm that it is you", "请确认是您本人"},
		Detail: Text{"This change needs a login or a confirmation within the last 10 minutes.", "此更改需要在最近 10 分钟内登录或确认身份。"},
		Hint:   Text{"Send the password, and the code of the second factor if there is one, to POST /session/confirm, then repeat the request.", "请向 POST /session/confirm 提交密码（如已启用多重身份验证，还需验证码），然后重试。"}},
	CrossSiteRequest: {Status: 403,
		Title:  Text{"Request from another site", "来自其他站点的请求"},
		Detail: Text{"A session in a cookie works for pages of this very origin only, with the header X-Tokenim-Console.", "Cookie 中的会话只能由本站页面使用，并且须带有 X-Tokenim-Console 请求头。"},
		Hint:   Text{"Scripts send the session as \"Authorization: Bearer\" instead.", "脚本请改用 \"Authorization: Bearer\" 发送会话。"}},
	AppNotChosen: {Status: 400,
		Title:  Text{"No app chosen", "未选择应用"},
		Detail: Text{"With a session, this operation needs the header X-App-Id.", "使用会话时，此操作需要 X-App-Id 请求头。"},
		Hint:   Text{"Name one of the apps of GET /apps.", "请填写 GET /apps 返回的某个应用。"}},
	TicketUsed: {Status: 401,
		Title:  Text{"Ticket used before", "票据已被使用"},
		Detail: Text{"A connect ticket works once, and this one was used before.", "连接票据只能使用一次，此票据已被使用。"},
		Hint:   Text{"Create a new ticket with POST /tickets.", "请用 POST /tickets 创建新票据。"}},

	BodyMissing: {Status: 400, Hint: hintFields,
		Title:  Text{"No body", "缺少请求体"},
		Detail: Text{"The request has no body; this operation needs a JSON object.", "请求没有请求体；此操作需要一个 JSON 对象。"}},
	BodyNotJSON: {Status: 400, Hint: hintFields,
		Title:  Text{"Body is not JSON", "请求体不是 JSON"},
		Detail: Text{"The body is not valid JSON: the error is at byte %d.", "请求体不是有效的 JSON：错误位于第 %d 字节。"}},
	BodyNotObject: {Status: 400, Hint: hintFields,
		Title:  Text{"Body is not an object", "请求体不是对象"},
		Detail: Text{"The body is valid JSON, but not an object.", "请求体是有效的 JSON，但不是对象。"}},
	BodyTooLarge: {Status: 413,
		Title:  Text{"Body too large", "请求体过大"},
		Detail: Text{"The body is larger than %d bytes.", "请求体超过 %d 字节。"},
		Hint:   Text{"Send less in one request.", "请减少单次请求的内容。"}},
	FieldDuplicate: {Status: 400, Hint: hintFields,
		Title:  Text{"Field given twice", "字段重复"},
		Detail: Text{"The field %q stands twice in one object, so its meaning is unclear.", "字段 %q 在同一对象中出现两次，含义不明确。"}},
	FieldUnknown: {Status: 422, Hint: hintFields,
		Title:  Text{"Unknown field", "未知字段"},
		Detail: Text{"There is no field %q here; names are case-sensitive.", "此处没有字段 %q；字段名区分大小写。"}},
	FieldMissing: {Status: 422, Hint: hintFields,
		Title:  Text{"Field missing", "缺少字段"},
		Detail: Text{"The field %q is required.", "字段 %q 是必填的。"}},
	FieldType: {Status: 422, Hint: hintFields,
		Title:  Text{"Wrong type", "类型错误"},
		Detail: Text{"The field %q has the wrong type; expected: %s.", "字段 %q 的类型不正确；应为：%s。"}},
	FieldTooShort: {Status: 422, Hint: hintFields,
		Title:  Text{"Too short", "内容过短"},
		Detail: Text{"The field %q is too short; the least is %s.", "字段 %q 过短；最少为 %s。"}},
	FieldTooLong: {Status: 422, Hint: hintFields,
		Title:  Text{"Too long", "内容过长"},
		Detail: Text{"The field %q is too long; the most is %s.", "字段 %q 过长；最多为 %s。"}},
	FieldRange: {Status: 422, Hint: hintFields,
		Title:  Text{"Out of range", "超出范围"},
		Detail: Text{"The field %q is out of range; the bound is %s.", "字段 %q 超出范围；界限为 %s。"}},
	FieldInvalid: {Status: 422, Hint: hintFields,
		Title:  Text{"Invalid value", "值无效"},
		Detail: Text{"The field %q has a value that is not allowed here.", "字段 %q 的值在此处不被允许。"}},
	TextInvalid: {Status: 400,
		Title:  Text{"Text is not valid Unicode", "文本不是有效的 Unicode"},
		Detail: Text{"The body holds text that cannot be kept: a lone surrogate, a NUL or bytes that are not UTF-8, at byte %d.", "请求体含有无法保存的文本：孤立的代理项、NUL 或非 UTF-8 字节，位于第 %d 字节。"},
		Hint:   Text{"Send UTF-8 without NUL; write characters beyond U+FFFF as themselves or as a pair of escapes.", "请发送不含 NUL 的 UTF-8 文本；U+FFFF 以上的字符请直接书写或使用成对转义。"}},
	CursorInvalid: {Status: 400,
		Title:  Text{"Invalid cursor", "游标无效"},
		Detail: Text{"The cursor was not issued for this list, or it was changed.", "该游标不是为此列表签发的，或已被改动。"},
		Hint:   Text{"Use next_cursor exactly as the last page gave it, with the same path and parameters, or start without a cursor.", "请原样使用上一页给出的 next_cursor，路径和参数保持不变；或不带游标重新开始。"}},

	UsernameInvalid: {Status: 422,
		Title:  Text{"Invalid username", "用户名无效"},
		Detail: Text{"The username is empty, longer than 64 bytes, or has characters that PRECIS usernames (RFC 8265) do not allow.", "用户名为空、超过 64 字节，或含有 PRECIS 用户名（RFC 8265）不允许的字符。"},
		Hint:   Text{"Use letters and digits of any script, without spaces.", "请使用任意文字的字母和数字，不含空格。"}},
	UsernameReserved: {Status: 422,
		Title:  Text{"Reserved username", "保留的用户名"},
		Detail: Text{"Usernames may not begin with the prefixes of IDs: app_, key_, u_, g_, c_.", "用户名不能以 ID 前缀开头：app_、key_、u_、g_、c_。"},
		Hint:   Text{"Choose another name.", "请换一个名字。"}},
	UsernameTaken: {Status: 409,
		Title:  Text{"Username taken", "用户名已被占用"},
		Detail: Text{"Another user of this app has this username, possibly in other case.", "此应用中已有用户使用该用户名（可能大小写不同）。"},
		Hint:   Text{"Choose another name, or look the user up by it.", "请换一个名字，或直接使用已有的用户。"}},
	UserNotFound: {Status: 404,
		Title:  Text{"User not found", "找不到用户"},
		Detail: Text{"The field %q names no user of this app.", "字段 %q 没有指向此应用的任何用户。"},
		Hint:   Text{"Check the ID or username, and that the key belongs to the same app.", "请检查 ID 或用户名，并确认密钥属于同一应用。"}},
	KeyNotFound: {Status: 404,
		Title:  Text{"Key not found", "找不到密钥"},
		Detail: Text{"There is no such key in this app.", "此应用中没有该密钥。"},
		Hint:   Text{"List the keys with GET /keys.", "请用 GET /keys 列出密钥。"}},
	KeyNotActive: {Status: 409,
		Title:  Text{"Key not active", "密钥已失效"},
		Detail: Text{"The key was revoked or has expired, so there is nothing to rotate.", "该密钥已被吊销或已过期，无法轮换。"},
		Hint:   Text{"Create a new key with POST /keys.", "请用 POST /keys 创建新密钥。"}},
	KeyRotated: {Status: 409,
		Title:  Text{"Key rotated before", "密钥已轮换"},
		Detail: Text{"The key was rotated before; its successor is %s.", "该密钥已轮换；接替它的密钥是 %s。"},
		Hint:   Text{"Rotate the successor instead.", "请改为轮换接替它的密钥。"}},
	CIDRInvalid: {Status: 422,
		Title:  Text{"Invalid address range", "地址范围无效"},
		Detail: Text{"The field %q is neither an IP address nor a range in CIDR notation.", "字段 %q 既不是 IP 地址，也不是 CIDR 地址范围。"},
		Hint:   Text{"Write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32.", "请填写 203.0.113.7、203.0.113.0/24 或 2001:db8::/32。"}},
	ScopeUnknown: {Status: 422,
		Title:  Text{"Unknown scope", "未知的权限范围"},
		Detail: Text{"There is no scope %q.", "不存在权限范围 %q。"},
		Hint:   Text{"The scopes are listed in docs/permissions.md.", "全部权限范围见 docs/permissions.md。"}},
	IdempotencyConflict: {Status: 409,
		Title:  Text{"Idempotency key used before", "幂等键已被使用"},
		Detail: Text{"This Idempotency-Key was used before with another body.", "该 Idempotency-Key 已用于另一个请求体。"},
		Hint:   Text{"Use a new Idempotency-Key for a new request.", "新请求请使用新的 Idempotency-Key。"}},

	PasswordTooShort: {Status: 422,
		Title:  Text{"Password too short", "密码过短"},
		Detail: Text{"The password is too short; the least is %d characters.", "密码过短；最少为 %d 个字符。"},
		Hint:   Text{"Use a longer password, such as a few words, or turn on a second factor.", "请使用更长的密码，例如几个词语，或启用多重身份验证。"}},
	PasswordTooLong: {Status: 422,
		Title:  Text{"Password too long", "密码过长"},
		Detail: Text{"The password is too long; the most is %d characters and %d bytes of UTF-8.", "密码过长；最多为 %d 个字符和 %d 字节（UTF-8）。"},
		Hint:   Text{"Use a shorter password.", "请使用更短的密码。"}},
	PasswordCommon: {Status: 422, Hint: hintPassword,
		Title:  Text{"Common password", "常见密码"},
		Detail: Text{"The password is one of the commonest passwords, or a repetition of one, so it is among the first that are guessed.", "该密码是最常见的密码之一或其重复，会被最先猜到。"}},
	PasswordOwnWords: {Status: 422, Hint: hintPassword,
		Title:  Text{"Password made of own words", "密码由账户自身的词语构成"},
		Detail: Text{"The password is built from the account's own words, such as its name or e-mail address.", "该密码由账户自身的词语构成，例如名称或电子邮件地址。"}},
	PasswordInvalid: {Status: 422,
		Title:  Text{"Invalid password", "密码无效"},
		Detail: Text{"The password has characters that PRECIS passwords (RFC 8265) do not allow.", "密码含有 PRECIS 密码（RFC 8265）不允许的字符。"},
		Hint:   Text{"Leave out control characters and unassigned code points; all letters, digits, signs and spaces are allowed.", "请去掉控制字符和未分配的码位；字母、数字、符号和空格均可使用。"}},
	TooManyAttempts: {Status: 429, Retryable: true,
		Title:  Text{"Too many attempts", "尝试次数过多"},
		Detail: Text{"Too many attempts; wait %s.", "尝试次数过多；请等待 %s。"},
		Hint:   Text{"Try again after the time in Retry-After, or have an unlock link mailed with POST /login/unlock.", "请在 Retry-After 指明的时间后重试，或用 POST /login/unlock 获取解锁邮件。"}},

	InvalidCredentials: {Status: 401,
		Title:  Text{"E-mail or password wrong", "邮箱或密码错误"},
		Detail: Text{"There is no login with this e-mail address and this password.", "不存在使用该邮箱和密码的登录。"},
		Hint:   Text{"Check both, or ask for a link with POST /password/forgot.", "请检查两者，或用 POST /password/forgot 获取重置链接。"}},
	AccountNotActivated: {Status: 403,
		Title:  Text{"Account not activated", "账户尚未激活"},
		Detail: Text{"The link in the confirmation mail has not been followed yet.", "尚未打开确认邮件中的链接。"},
		Hint:   Text{"Follow the link, or have it sent again with POST /signup/resend.", "请打开该链接，或用 POST /signup/resend 重新发送。"}},
	SecondFactorRequired: {Status: 401,
		Title:  Text{"Second factor needed", "需要多重身份验证"},
		Detail: Text{"This login has a second factor, and the request carries no code.", "该登录启用了多重身份验证，而请求中没有验证码。"},
		Hint:   Text{"Send the same request with \"code\" from the authenticator, or with \"recovery_code\".", "请在同一请求中加上验证器的 \"code\"，或 \"recovery_code\"。"}},
	SecondFactorWrong: {Status: 401,
		Title:  Text{"Code wrong or used", "验证码错误或已使用"},
		Detail: Text{"The code is wrong, too old, or was used before: each works once.", "验证码错误、已过期或已被使用：每个验证码只能使用一次。"},
		Hint:   Text{"Wait for the authenticator's next code, or use a recovery code.", "请等待验证器的下一个验证码，或使用恢复码。"}},
	SecondFactorOn: {Status: 409,
		Title:  Text{"Second factor is on", "多重身份验证已启用"},
		Detail: Text{"This login has a second factor already.", "该登录已启用多重身份验证。"},
		Hint:   Text{"Turn it off with POST /account/mfa/off first.", "请先用 POST /account/mfa/off 关闭。"}},
	SecondFactorOff: {Status: 409,
		Title:  Text{"Second factor is off", "多重身份验证未启用"},
		Detail: Text{"This login has no second factor, or its setting up was not begun or has lapsed.", "该登录没有多重身份验证，或其设置尚未开始或已失效。"},
		Hint:   Text{"Begin with POST /account/mfa.", "请从 POST /account/mfa 开始。"}},
	LinkInvalid: {Status: 410,
		Title:  Text{"Link does not work", "链接无效"},
		Detail: Text{"The link was used before, has expired, or was replaced by what happened since.", "该链接已被使用、已过期，或因后续操作而失效。"},
		Hint:   Text{"Ask for a new one.", "请重新获取链接。"}},
	EmailInvalid: {Status: 422,
		Title:  Text{"Invalid e-mail address", "邮箱地址无效"},
		Detail: Text{"The field %q is not an e-mail address of the form name@example.com in ASCII.", "字段 %q 不是形如 name@example.com 的 ASCII 邮箱地址。"},
		Hint:   Text{"Write a domain with other letters in its xn-- form.", "含其他文字的域名请使用 xn-- 形式。"}},
	EmailTaken: {Status: 409,
		Title:  Text{"Address in use", "邮箱已被使用"},
		Detail: Text{"Another login has taken this e-mail address meanwhile.", "该邮箱地址已被另一个登录使用。"},
		Hint:   Text{"Use another address.", "请使用其他地址。"}},
	AccountNotFound: {Status: 404,
		Title:  Text{"Account not found", "找不到账户"},
		Detail: Text{"You are no member of such an account.", "您不是该账户的成员。"},
		Hint:   Text{"GET /account lists the accounts that you belong to.", "GET /account 会列出您所属的账户。"}},
	MemberNotFound: {Status: 404,
		Title:  Text{"Member not found", "找不到成员"},
		Detail: Text{"The account has no such member.", "该账户没有此成员。"},
		Hint:   Text{"GET /account/members lists them.", "GET /account/members 会列出成员。"}},
	MemberExists: {Status: 409,
		Title:  Text{"Already a member", "已是成员"},
		Detail: Text{"The developer is a member of the account already.", "该开发者已是此账户的成员。"},
		Hint:   Text{"Change the role with PATCH /account/members/{id}.", "请用 PATCH /account/members/{id} 更改角色。"}},
	InvitationNotFound: {Status: 404,
		Title:  Text{"Invitation not found", "找不到邀请"},
		Detail: Text{"The account has no such invitation.", "该账户没有此邀请。"},
		Hint:   Text{"GET /account/invitations lists those that are open.", "GET /account/invitations 会列出未处理的邀请。"}},
	LastOwner: {Status: 409,
		Title:  Text{"The last owner", "最后一位所有者"},
		Detail: Text{"An account keeps at least one owner.", "账户至少须保留一位所有者。"},
		Hint:   Text{"Make another member owner first.", "请先将另一位成员设为所有者。"}},
	RoleTooHigh: {Status: 403,
		Title:  Text{"Role above your own", "角色高于自己"},
		Detail: Text{"Nobody gives, changes or takes a role above their own.", "任何人都不能授予、更改或取消高于自己的角色。"},
		Hint:   Text{"Ask an owner.", "请联系所有者。"}},
	SessionNotFound: {Status: 404,
		Title:  Text{"Session not found", "找不到会话"},
		Detail: Text{"You have no such session.", "您没有此会话。"},
		Hint:   Text{"GET /sessions lists them.", "GET /sessions 会列出会话。"}},
	AppNotFound: {Status: 404,
		Title:  Text{"App not found", "找不到应用"},
		Detail: Text{"The account has no such app.", "该账户没有此应用。"},
		Hint:   Text{"GET /apps lists them.", "GET /apps 会列出应用。"}},
	AppDeleted: {Status: 403,
		Title:  Text{"App deleted", "应用已删除"},
		Detail: Text{"The app was deleted and will be erased.", "该应用已被删除，并将被清除。"},
		Hint:   Text{"Until then, POST /apps/{id}/restore brings it back.", "在此之前可用 POST /apps/{id}/restore 恢复。"}},
	AppNotDeleted: {Status: 409,
		Title:  Text{"App is not deleted", "应用未被删除"},
		Detail: Text{"There is nothing to restore.", "没有可恢复的内容。"},
		Hint:   Text{"Use the app as it is.", "请直接使用该应用。"}},
	OriginInvalid: {Status: 422,
		Title:  Text{"Invalid origin", "来源无效"},
		Detail: Text{"The field %q is not an origin such as https://chat.example.com.", "字段 %q 不是形如 https://chat.example.com 的来源。"},
		Hint:   Text{"Write scheme and host, a port where it is not the scheme's own, and nothing behind; http only for localhost.", "请只填写协议和主机名（端口非默认时一并填写），其后不带任何内容；http 仅限 localhost。"}},
	TooMany: {Status: 409,
		Title:  Text{"Too many", "数量过多"},
		Detail: Text{"There are %d already, which is the most.", "已有 %d 个，达到上限。"},
		Hint:   Text{"Remove one first.", "请先移除一个。"}},

	MessageEmpty: {Status: 422,
		Title:  Text{"Empty message", "消息为空"},
		Detail: Text{"The message has no text.", "消息没有内容。"},
		Hint:   Text{"Send at least one character.", "请至少发送一个字符。"}},
	MessageTooLarge: {Status: 413,
		Title:  Text{"Message too large", "消息过大"},
		Detail: Text{"The message has %d bytes of UTF-8; the most is %d.", "消息有 %d 字节（UTF-8）；最多为 %d。"},
		Hint:   Text{"Split the text, or send it as a file.", "请拆分文本，或以文件发送。"}},
	RecipientIsSender: {Status: 422,
		Title:  Text{"Sender and receiver are the same", "发送者与接收者相同"},
		Detail: Text{"A user cannot send a message to itself.", "用户不能给自己发消息。"},
		Hint:   Text{"Name another user in \"to\".", "请在 \"to\" 中指定另一个用户。"}},
	KnownAhead: {Status: 409, Hint: hintSync,
		Title:  Text{"Known sequence lies ahead", "已知序号超前"},
		Detail: Text{"The conversation has no message %d yet.", "该会话还没有序号为 %d 的消息。"}},
	KnownTooOld: {Status: 409, Hint: hintSync,
		Title:  Text{"Known sequence is too old", "已知序号过旧"},
		Detail: Text{"More than %d messages came after the sequence in \"known\".", "在 \"known\" 的序号之后已有超过 %d 条消息。"}},
	ClientIDConflict: {Status: 409,
		Title:  Text{"Client ID used before", "客户端 ID 已被使用"},
		Detail: Text{"This client_id was used before for another message of this sender in this conversation.", "该发送者在此会话中已将该 client_id 用于另一条消息。"},
		Hint:   Text{"Use a new client_id for a new message.", "新消息请使用新的 client_id。"}},
	ConversationBusy: {Status: 429, Retryable: true, Hint: hintRetry,
		Title:  Text{"Conversation busy", "会话繁忙"},
		Detail: Text{"Too many messages were sent into this conversation at once.", "同时发往该会话的消息过多。"}},
	ConversationNotFound: {Status: 404,
		Title:  Text{"Conversation not found", "找不到会话"},
		Detail: Text{"There is no such conversation for this user.", "该用户没有此会话。"},
		Hint:   Text{"List the conversations with GET /users/{id}/conversations.", "请用 GET /users/{id}/conversations 列出会话。"}},
	SequenceAhead: {Status: 409,
		Title:  Text{"Sequence lies ahead", "序号超前"},
		Detail: Text{"The conversation has no message %d yet, so it cannot be acknowledged or read.", "该会话还没有序号为 %d 的消息，无法确认或标记已读。"},
		Hint:   Text{"Acknowledge only what has arrived.", "请只确认已收到的消息。"}},

	FrameNotJSON: {Status: 400, Hint: hintFrame,
		Title:  Text{"Frame is not a JSON object", "帧不是 JSON 对象"},
		Detail: Text{"The frame is not one valid JSON object.", "该帧不是一个有效的 JSON 对象。"}},
	ActionMissing: {Status: 400, Hint: hintFrame,
		Title:  Text{"No action", "缺少 action"},
		Detail: Text{"The frame has no \"action\".", "该帧没有 \"action\"。"}},
	ActionUnknown: {Status: 400, Hint: hintFrame,
		Title:  Text{"Unknown action", "未知的 action"},
		Detail: Text{"There is no action of this name; names are case-sensitive.", "没有这个名称的 action；名称区分大小写。"}},

	RouteNotFound: {Status: 404,
		Title:  Text{"No such route", "路径不存在"},
		Detail: Text{"There is nothing at this path.", "该路径下没有内容。"},
		Hint:   Text{"The routes are described in /openapi.json.", "所有路径见 /openapi.json。"}},
	MethodNotAllowed: {Status: 405,
		Title:  Text{"Method not allowed", "不支持的方法"},
		Detail: Text{"This path does not take this method; it takes %s.", "该路径不支持此方法；支持的方法：%s。"},
		Hint:   Text{"The routes are described in /openapi.json.", "所有路径见 /openapi.json。"}},
	Unavailable: {Status: 503, Retryable: true, Hint: hintRetry,
		Title:  Text{"Temporarily unavailable", "暂时不可用"},
		Detail: Text{"A service that TokenIM depends on did not answer in time.", "TokenIM 所依赖的服务未能及时响应。"}},
	Internal: {Status: 500, Retryable: true,
		Title:  Text{"Internal error", "内部错误"},
		Detail: Text{"Something went wrong on our side; it has been logged under the request ID.", "我们这边出现了问题，已按请求 ID 记录。"},
		Hint:   Text{"Try again; if it persists, report the request ID.", "请重试；若仍然失败，请报告请求 ID。"}},
}
