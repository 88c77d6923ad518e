package client_test

// "migrate check" builds the client of the base in the tree of the head. The one before this imports these: they can go
// as soon as no base has it.
import (
	_ "github.com/oapi-codegen/nullable"
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/oapi-codegen/runtime/types"
)
