// Package tabletest measures what items and requests cost in DynamoDB. Only tests import it.
package tabletest

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Size returns how many bytes DynamoDB counts for the item, by "DynamoDB item sizes and formats" of its developer guide:
// names and texts in UTF-8, numbers by their significant digits, 3 bytes for a map or list and 1 for each of its elements.
func Size(item map[string]types.AttributeValue) int {
	size := 0
	for name, value := range item {
		size += len(name) + valueSize(value)
	}
	return size
}

func valueSize(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return numberSize(v.Value)
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		return 1
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + Size(v.Value)
	case *types.AttributeValueMemberL:
		size := 3 + len(v.Value)
		for _, element := range v.Value {
			size += valueSize(element)
		}
		return size
	}
	panic(fmt.Sprintf("tabletest: size of %T", value))
}

// numberSize is one byte for every two significant digits, and one more, and one for a sign; at most 21.
func numberSize(number string) int {
	digits := strings.Trim(strings.TrimPrefix(number, "-"), "0")
	return min(21, (len(digits)+1)/2+1+len(number)-len(strings.TrimPrefix(number, "-")))
}
