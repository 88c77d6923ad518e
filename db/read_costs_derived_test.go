package db_test

import (
	"context"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"waybill/db"
)

// derived returns the costs of a statement whose parameters say all: a row by its id, or a page of a tenant's rows,
// newest first. ok is false for every other.
func (c costFixture) derived(name string) (costs []readCost, ok bool) {
	method, ok := reflect.TypeFor[*db.Queries]().MethodByName(name)
	if !ok || method.Type.NumIn() != 3 || method.Type.In(2).Kind() != reflect.Struct {
		return nil, false
	}
	params := method.Type.In(2)
	for f := range params.Fields() {
		if _, ok := c.argument(f.Name, db.Viewer{}); !ok {
			return nil, false
		}
	}
	_, isList := params.FieldByName("BeforeCreatedAt")
	if _, isRow := params.FieldByName("ID"); isRow == isList || isList != strings.HasPrefix(name, "List") {
		return nil, false
	}
	most := int64(rowCost)
	if isList {
		most = pageCost
	}
	return c.each(most, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
		p := reflect.New(params).Elem()
		for i := range params.NumField() {
			value, _ := c.argument(params.Field(i).Name, v)
			p.Field(i).Set(reflect.ValueOf(value).Convert(p.Field(i).Type()))
		}
		out := reflect.ValueOf(q).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(ctx), p})
		err, _ := out[1].Interface().(error)
		return err
	}), true
}

// argument returns the value of a parameter by its name.
func (c costFixture) argument(name string, v db.Viewer) (value any, ok bool) {
	value, ok = map[string]any{
		"TenantID": c.TenantID, "ViewerID": v.UserID, "ViewerRole": v.Role, "ViewerDriverID": v.DriverID,
		"ID": newID(), "BeforeCreatedAt": endOfTime, "BeforeID": uuid.Max, "MaxRows": int32(50),
	}[name]
	return value, ok
}
