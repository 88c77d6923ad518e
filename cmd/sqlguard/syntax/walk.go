package syntax

import (
	"reflect"
	"sync"

	pg "github.com/sqlc-dev/oliphant"
)

// Walk calls visit for each node at and below root, parents first; visit reports whether to descend.
func Walk(root *pg.Node, visit func(*pg.Node) bool) {
	if root != nil {
		walk(reflect.ValueOf(root), visit)
	}
}

// WalkAll walks each of the roots.
func WalkAll(roots []*pg.Node, visit func(*pg.Node) bool) {
	for _, root := range roots {
		Walk(root, visit)
	}
}

func walk(v reflect.Value, visit func(*pg.Node) bool) {
	if v.IsNil() {
		return
	}
	if node, ok := v.Interface().(*pg.Node); ok && !visit(node) {
		return
	}
	v = v.Elem()
	for _, field := range branches(v.Type()) {
		descend(v.Field(field), visit)
	}
}

func descend(v reflect.Value, visit func(*pg.Node) bool) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Interface: // the interface of a oneof
		if !v.IsNil() {
			walk(v.Elem(), visit)
		}
	default:
		walk(v, visit)
	}
}

// branchFields caches, for each struct type of the tree, the fields that hold nodes.
var branchFields sync.Map // reflect.Type -> []int

func branches(t reflect.Type) []int {
	if known, ok := branchFields.Load(t); ok {
		return known.([]int)
	}
	var fields []int
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && leads(f.Type) {
			fields = append(fields, i)
		}
	}
	branchFields.Store(t, fields)
	return fields
}

func leads(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Pointer
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.Struct
	}
	return false
}
