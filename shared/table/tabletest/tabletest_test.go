package tabletest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/tabletest"
)

func TestSize(t *testing.T) {
	list := &types.AttributeValueMemberL{Value: []types.AttributeValue{table.S("ab"), table.S("c")}}
	for want, value := range map[int]types.AttributeValue{
		0:  table.S(""),
		6:  table.S("周杰"),
		5:  &types.AttributeValueMemberB{Value: make([]byte, 5)},
		1:  table.N(0),
		2:  table.N(12),
		3:  table.N(123),
		11: table.N(1234567890123456789),
		8:  list,
		7:  &types.AttributeValueMemberM{Value: table.Item{"k": table.N(7_000_000)}},
	} {
		if got := tabletest.Size(table.Item{"name": value}) - len("name"); got != want {
			t.Errorf("Size of %#v = %d, want %d", value, got, want)
		}
	}
	if got := tabletest.Size(table.Item{"n": table.N(-123)}); got != 1+4 {
		t.Errorf("Size of -123 = %d, want 5", got)
	}
}
