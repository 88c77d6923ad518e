package db

import "github.com/danielgtaylor/huma/v2"

// The enums are components of the OpenAPI document, so that every client has a type
// of that name for each, with the values that the schema has.

// Schema gives the component PickupStatus.
func (PickupStatus) Schema(r huma.Registry) *huma.Schema {
	return enumSchema(r, "PickupStatus", "Where a pickup stands", AllPickupStatusValues())
}

// Schema gives the component AppointmentStatus.
func (AppointmentStatus) Schema(r huma.Registry) *huma.Schema {
	return enumSchema(r, "AppointmentStatus", "Where an appointment stands", AllAppointmentStatusValues())
}

// Schema gives the component TransitionName.
func (TransitionName) Schema(r huma.Registry) *huma.Schema {
	return enumSchema(r, "TransitionName", "A move of a pickup from one status to the next", AllTransitionNameValues())
}

// Schema gives the component UserRole.
func (UserRole) Schema(r huma.Registry) *huma.Schema {
	return enumSchema(r, "UserRole", "What a user may do", AllUserRoleValues())
}

// Schema gives the component EntryKind.
func (EntryKind) Schema(r huma.Registry) *huma.Schema {
	return enumSchema(r, "EntryKind", "Which way an entry moved the balance", AllEntryKindValues())
}

// Schema gives the component MessageStatus.
func (MessageStatus) Schema(r huma.Registry) *huma.Schema {
	return enumSchema(r, "MessageStatus", "What became of a text", AllMessageStatusValues())
}

func enumSchema[T ~string](r huma.Registry, name, description string, values []T) *huma.Schema {
	if r.Map()[name] == nil {
		s := &huma.Schema{Type: huma.TypeString, Description: description}
		for _, v := range values {
			s.Enum = append(s.Enum, string(v))
		}
		s.PrecomputeMessages()
		r.Map()[name] = s
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}
