// Package walks has what the walks of the Go generators share.
package walks

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/google/uuid"
)

// Given is what run.mjs gives to each walk: the server, a dispatcher's token, a new pickup, and the
// document's codes.
type Given struct {
	URL    string `json:"url"`
	Token  string `json:"token"`
	Pickup struct {
		FacilityID     uuid.UUID `json:"facility_id"`
		AccountID      uuid.UUID `json:"account_id"`
		PriceCents     int       `json:"price_cents"`
		PickupAddress  string    `json:"pickup_address"`
		DropoffAddress string    `json:"dropoff_address"`
	} `json:"pickup"`
	Codes []string `json:"codes"`
}

// Read returns what the environment gives.
func Read() (Given, error) {
	var given Given
	if err := json.Unmarshal([]byte(os.Getenv("WALK")), &given); err != nil {
		return Given{}, fmt.Errorf("WALK: %w", err)
	}
	return given, nil
}

// Exhaustive returns an error unless known, the constants that a walk switches over, are the document's codes of
// submit-pickup's conflicts. Go's compiler does not tell.
func Exhaustive[C ~string](given Given, known []C) error {
	if len(known) != len(given.Codes) {
		return fmt.Errorf("the document has the codes %v, the walk knows %v", given.Codes, known)
	}
	for _, code := range known {
		if !slices.Contains(given.Codes, string(code)) {
			return fmt.Errorf("the document has no code %q", code)
		}
	}
	return nil
}
