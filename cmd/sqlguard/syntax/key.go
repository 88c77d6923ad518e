package syntax

import (
	"fmt"
	"reflect"
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// Key returns the same text for equal expressions: positions and casts are ignored, and the names of
// sqlc's parameters are kept.
func Key(n *pg.Node) string {
	var out strings.Builder
	key(reflect.ValueOf(Bare(n)), &out)
	return out.String()
}

func key(v reflect.Value, out *strings.Builder) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if node, ok := v.Interface().(*pg.Node); ok {
			v = reflect.ValueOf(Bare(node))
		}
		key(v.Elem(), out)
	case reflect.Slice:
		out.WriteByte('[')
		for i := range v.Len() {
			key(v.Index(i), out)
			out.WriteByte(' ')
		}
		out.WriteByte(']')
	case reflect.Struct:
		structKey(v, out)
	default:
		fmt.Fprint(out, v.Interface())
	}
}

func structKey(v reflect.Value, out *strings.Builder) {
	t := v.Type()
	out.WriteString(t.Name())
	out.WriteByte('{')
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || strings.Contains(f.Name, "ocation") || strings.HasPrefix(f.Name, "RexprList") ||
			v.Field(i).IsZero() {
			continue
		}
		key(v.Field(i), out)
		out.WriteByte(';')
	}
	out.WriteByte('}')
}
