//go:build conformance

package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// TestRotationCarriesGrants: a key's replacement may do what it was granted, and sheds nothing that it is denied.
func TestRotationCarriesGrants(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	developer := all.owner.in(all.app)
	old, oldBy := keyOf(t, all.owner, all.app, nil, "users:list", "keys:read")
	grant(t, developer, object{"subject": old.KeyID, "permissions": []string{"roles:read"}, "until": inMillis(3_600_000)})
	grant(t, developer, object{"subject": old.KeyID, "permissions": []string{"users:list"}, "effect": "deny"})
	ended := grant(t, developer, object{"subject": old.KeyID, "permissions": []string{"grants:read"}})
	revoke(t, developer, ended.GrantID)
	may := func(by client.Installation, key string) {
		t.Helper()
		wantStatus(t, get(t, by, "/roles"), http.StatusOK)
		wantStatus(t, get(t, by, "/keys"), http.StatusOK)
		wantDenied(t, get(t, by, "/users"), "users:list", key)
		wantDenied(t, get(t, by, "/grants"), "grants:read", key)
	}
	may(oldBy, old.KeyID)

	made, by := rotate(t, developer, old.KeyID, object{"overlap_seconds": 0, "reason": "quarterly"})
	wantRefusal(t, get(t, oldBy, "/roles"), http.StatusUnauthorized, "api_key_revoked")
	may(by, made.KeyID)
	for permission, decision := range map[string]string{"roles:read": "allow", "users:list": "deny"} {
		found := explain(t, developer, made.KeyID, permission, "")
		if found.Decision != decision || found.Via != "grant" || found.Grant == nil || found.Grant.Subject != made.KeyID ||
			found.Grant.CreatedBy != all.owner.id || !strings.Contains(found.Grant.Reason, old.KeyID) {
			t.Errorf("%s of the new key: %+v", permission, found)
		}
		if permission == "roles:read" && found.Grant.Until == "" {
			t.Errorf("what was to end does not: %+v", found.Grant)
		}
		if found.Decision == "deny" { // and it falls as any other
			revoke(t, developer, found.Grant.GrantID)
			wantStatus(t, get(t, by, "/users"), http.StatusOK)
		}
	}
}

// TestRotatingAKeyThatIsGrantedMore: whoever rotates a key gets what it was granted, and so has to have that.
func TestRotatingAKeyThatIsGrantedMore(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	developer := all.owner.in(all.app)
	mighty, mightyBy := keyOf(t, all.owner, all.app, nil, "keys:manage")
	grant(t, developer, object{"subject": mighty.KeyID, "permissions": []string{"messages:send"}})
	_, limited := keyOf(t, all.owner, all.app, nil, "keys:manage")
	wantRefusal(t, post(t, limited, "/keys/"+mighty.KeyID+"/rotate", object{}), http.StatusForbidden, "scope_exceeds_key")
	if key := showKey(t, developer, mighty.KeyID); key.RotatedTo != "" {
		t.Errorf("rotated all the same: %+v", key)
	}
	itself, _ := rotate(t, mightyBy, mighty.KeyID, object{})
	if found := explain(t, developer, itself.KeyID, "messages:send", ""); found.Decision != "allow" || found.Via != "grant" {
		t.Errorf("the key that replaced itself: %+v", found)
	}
}
