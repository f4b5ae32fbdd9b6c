package check_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// uploaded are a media of some user's that is uploading, and one that is ready.
func uploaded(t *testing.T, all items) items {
	profile := all["USERS"][where(t, all["USERS"], func(item table.Item) bool { return text(item["username"]) != "" })]
	media := func(id, state string, more table.Item) table.Item {
		item := table.Item{"pk": profile["app"], "sk": table.S("media_" + strings.Repeat(id, 22)), "owner": profile["user"], "state": table.S(state),
			"kind": table.S("image"), "size": table.N(7), "sha256": &types.AttributeValueMemberB{Value: make([]byte, 32)}}
		maps.Copy(item, more)
		return item
	}
	all["MEDIA"] = []table.Item{
		media("1", "uploading", table.Item{"expires": table.N(time.Now().Add(time.Hour).Unix())}),
		media("2", "ready", table.Item{"type": table.S("image/png")}),
		media("3", "none", table.Item{"expires": table.N(1)}),                                                               // expired
		media("4", "ready", table.Item{"type": table.S("image/png"), "expires": table.N(time.Now().Add(time.Hour).Unix())}), // not sent
	}
	return all
}

func TestMediaAreChecked(t *testing.T) {
	sound, wrapper := world(t)
	uploaded(t, sound)
	report, err := check.Run(t.Context(), sound, wrapper)
	storetest.OK(t, "Run", err)
	if len(report.Problems) != 0 || report.Media != 3 {
		t.Errorf("%d media, problems: %v", report.Media, report.Problems)
	}
	ready := func(item table.Item) bool { return text(item["state"]) == "ready" && item["expires"] == nil }
	findOne(t, sound, wrapper, map[string]damage{
		"an owner who is nobody":    {set("MEDIA", ready, "owner", table.S("u_0000000000000000000000")), only(check.Media)},
		"a name that does not open": {set("MEDIA", ready, "filename", table.S("00ff")), only(check.Media)},
		"a name that is not sealed": {set("MEDIA", ready, "filename", table.S("cat.png")), only(check.Media)},
		"no media's ID":             {set("MEDIA", ready, "sk", table.S("m")), only(check.Unreadable)},
		"a state that there is not": {set("MEDIA", ready, "state", table.S("gone")), only(check.Unreadable)},
		"ready and rejected":        {set("MEDIA", ready, "rejected", table.S("media_html")), only(check.Unreadable)},
		"rejected without a reason": {set("MEDIA", is("state", "uploading"), "state", table.S("rejected")), only(check.Unreadable)},
		"an upload without an end":  {unset("MEDIA", is("state", "uploading"), "expires"), only(check.Unreadable)},
	})
}
