package prove

func driverStories() []story {
	return []story{
		{"one-driver",
			"Two dispatchers saw the same free driver, and each assigned them to another pickup.",
			"Many pickups, one driver, assigned concurrently: one succeeds, the others get driver_busy.",
			oneDriver},
		{"nearest-driver",
			"Two pickups submitted within a second were both dispatched to the same nearest driver.",
			"Two pickups in one place dispatched concurrently, then many: as many drivers. And one pickup by many " +
				"callers: one driver.",
			nearestDriver},
	}
}

func oneDriver(t *trial) {
	driver := t.driver()
	for range t.Rounds {
		ids := t.submitted(t.Callers)
		got := atOnce(len(ids), func(i int) answer {
			return t.transition(t.ctx, "assign", ids[i], driver, key(newKey()))
		})
		expectEqual(t, "pickups that got the driver", got.won(), 1)
		t.expectRefused("pickups", got, "driver_busy", len(ids)-1)
		assigned := 0
		for i, id := range ids {
			p := t.getPickup(id)
			if p.Status == "ASSIGNED" {
				assigned++
				t.expect(got[i].ok(), "a pickup is assigned although its caller was refused")
			}
			t.expect((p.DriverID != nil) == (p.Status == "ASSIGNED"),
				"a pickup that is %s has an inconsistent driver", p.Status)
		}
		expectEqual(t, "pickups assigned", assigned, 1)
		t.forEachConcurrently(ids, func(id string) { t.transition(t.ctx, "cancel", id, "") })
	}
	t.figures("%d pickups x %d rounds: 1 got the driver each time, %d driver_busy", t.Callers, t.Rounds, t.Callers-1)
}

func nearestDriver(t *trial) {
	drivers := t.onDuty(max(2, t.Callers))
	for range t.Rounds {
		t.dispatchAll(2)
		t.dispatchAll(len(drivers))
		t.dispatchOne()
	}
	t.figures("%d rounds: 2 pickups got 2 drivers, %d got %d; and of %d callers for one pickup, 1 won",
		t.Rounds, len(drivers), len(drivers), t.Callers)
}

// dispatchAll dispatches pickups at the same location concurrently. Other drivers of the tenant may be
// chosen if nearer ones are being assigned: what counts is that no driver is assigned twice.
func (t *trial) dispatchAll(n int) {
	ids := t.submitted(n)
	got := atOnce(n, func(i int) answer { return t.transition(t.ctx, "dispatch", ids[i], "", key(newKey())) })
	t.expect(got.won() == n, "%d pickups and as many free drivers: %v", n, got)
	taken := map[string]bool{}
	for _, id := range ids {
		if p := t.getPickup(id); p.DriverID != nil {
			t.expect(!taken[*p.DriverID], "one driver on two pickups")
			taken[*p.DriverID] = true
		}
	}
	expectEqual(t, "drivers taken", len(taken), n)
	t.forEachConcurrently(ids, func(id string) { t.transition(t.ctx, "cancel", id, "") })
}

func (t *trial) dispatchOne() {
	id := t.submitted(1)[0]
	got := atOnce(t.Callers, func(int) answer { return t.transition(t.ctx, "dispatch", id, "", key(newKey())) })
	expectEqual(t, "callers that dispatched one pickup", got.won(), 1)
	t.expectRefused("the others", got, "illegal_transition", t.Callers-1)
	t.must("cancel", id, "")
}
