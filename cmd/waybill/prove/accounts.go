package prove

import "github.com/google/uuid"

func accountStories() []story {
	return []story{
		{"charges-at-once",
			"An account of $100 was charged $30 and $15 at the same time. Afterwards the balance was $70 or $85.",
			"The same on many accounts, many times: the balance must be $55 in either order.",
			chargesAtOnce},
		{"overdraw",
			"Every caller read the balance, found it sufficient, and spent it.",
			"Many concurrent charges of an account that covers some: exactly those succeed; the entries add up to " +
				"the " +
				"balance.",
			overdraw},
		{"repeated-charge",
			"A charge was retried after its response was lost, and charged twice.",
			"Many concurrent requests with one charge id: all succeed, and it is charged once.",
			repeatedCharge},
	}
}

func (t *trial) balance(account string) int64 {
	var a struct {
		BalanceCents int64 `json:"balance_cents"`
	}
	t.require(t.admin.get(t.ctx, "/v1/accounts/"+account).into(&a))
	return a.BalanceCents
}

func (t *trial) fund(cents int64) string {
	account, err := t.newAccount(t.ctx, cents)
	t.require(err)
	return account
}

func (t *trial) deposit(account string, cents int64) {
	t.require(t.admin.post(t.ctx, "/v1/accounts/"+account+"/deposits", newEntry(cents)).into(&row{}))
}

func (t *trial) charge(account string, e entry) answer {
	return t.admin.post(t.ctx, "/v1/accounts/"+account+"/charges", e)
}

func newEntry(cents int64) entry { return entry{uuid.NewString(), cents} }

// entries sums up all entries of an account, over all pages.
func (t *trial) entries(account string) (sum int64, charges int) {
	for cursor := ""; ; {
		var p struct {
			Items []struct {
				Kind        string
				AmountCents int64 `json:"amount_cents"`
			}
			NextCursor string `json:"next_cursor"`
		}
		path := "/v1/accounts/" + account + "/entries?limit=200"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		t.require(t.admin.get(t.ctx, path).into(&p))
		for _, e := range p.Items {
			if e.Kind == "charge" {
				charges++
				e.AmountCents = -e.AmountCents
			}
			sum += e.AmountCents
		}
		if cursor = p.NextCursor; cursor == "" || len(p.Items) == 0 {
			return sum, charges
		}
	}
}

func chargesAtOnce(t *trial) {
	amounts := []int64{30_00, 15_00}
	accounts := make([]string, max(1, t.Callers/2))
	for i := range accounts {
		accounts[i] = t.fund(55_00)
	}
	for range t.Rounds {
		for _, account := range accounts {
			t.deposit(account, 45_00)
		}
		got := atOnce(2*len(accounts), func(i int) answer { return t.charge(accounts[i/2], newEntry(amounts[i%2])) })
		t.expect(got.won() == len(got), "charges within the balance: %v", got)
		for _, account := range accounts {
			expectEqual(t, "cents left of $100 after $30 and $15", t.balance(account), 55_00)
		}
	}
	t.figures("%d accounts, %d rounds: $55.00 left each time", len(accounts), t.Rounds)
}

func overdraw(t *trial) {
	const price = 7_00
	var won, refused int
	for range t.Rounds {
		callers := max(2, t.Callers)
		fit := callers/2 + 1
		account := t.fund(int64(fit)*price + 5_00)
		got := atOnce(callers, func(int) answer { return t.charge(account, newEntry(price)) })
		expectEqual(t, "charges taken", got.won(), min(fit, callers))
		t.expectRefused("charges", got, "insufficient_funds", callers-min(fit, callers))
		left := t.balance(account)
		sum, charges := t.entries(account)
		expectEqual(t, "cents left", left, int64(fit-got.won())*price+5_00)
		expectEqual(t, "the sum of the entries", sum, left)
		expectEqual(t, "the charges among the entries", charges, got.won())
		won, refused = won+got.won(), refused+got.with("insufficient_funds")
	}
	t.figures("%d concurrent charges, %d rounds: %d charged, %d insufficient_funds; never below zero",
		max(2, t.Callers), t.Rounds, won, refused)
}

func repeatedCharge(t *trial) {
	for range t.Rounds {
		account, once := t.fund(100_00), newEntry(30_00)
		got := atOnce(t.Callers, func(int) answer { return t.charge(account, once) })
		expectEqual(t, "successful callers", got.won(), t.Callers)
		expectEqual(t, "of them, replays", got.replayed(), t.Callers-1)
		expectEqual(t, "cents left of $100 after $30", t.balance(account), 70_00)
	}
	t.figures("%d callers x %d rounds: all succeeded, $30.00 charged once each time", t.Callers, t.Rounds)
}
