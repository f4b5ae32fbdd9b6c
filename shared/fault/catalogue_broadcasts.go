package fault

import "maps"

func init() { maps.Copy(catalogue, broadcastEntries) } // a file of their own: one has 500 lines at most

var broadcastEntries = map[Code]Entry{
	BroadcastNotFound: {Status: 404,
		Title:  Text{"Broadcast not found", "找不到广播"},
		Detail: Text{"This app has no broadcast of this ID, or it is older than 7 days.", "此应用中没有该 ID 的广播，或已超过 7 天。"},
		Hint:   Text{"GET /broadcasts lists those of the last 7 days.", "可用 GET /broadcasts 列出最近 7 天的广播。"}},
	BroadcastsTooMany: {Status: 429, Retryable: true,
		Title:  Text{"Too many broadcasts", "广播过多"},
		Detail: Text{"%d broadcasts of this app are not finished, which is the most.", "此应用有 %d 个广播尚未结束，已达上限。"},
		Hint:   Text{"Wait until one is done, or stop one with POST /broadcasts/{id}/cancel.", "请等待其中一个结束，或用 POST /broadcasts/{id}/cancel 停止一个。"}},
}
