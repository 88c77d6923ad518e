package retry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var errFinal = errors.New("final")

// failing fails the first attempts with ErrRetry, and ends with end after that.
func failing(times int, end error) (try func(int) error, calls *int) {
	calls = new(int)
	return func(int) error {
		*calls++
		if *calls <= times {
			return ErrRetry
		}
		return end
	}, calls
}

func TestDoEndsWithTheFirstAttemptThatIsNotToBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []error{nil, errFinal, context.Canceled, fmt.Errorf("given up: %w", ErrRetry)} {
			try, calls := failing(3, end)
			if err := Do(t.Context(), MaxAttempts, try); err != end || *calls != 4 {
				t.Errorf("%v after %d attempts; want %v after 4", err, *calls, end)
			}
		}
	})
}

func TestDoCountsItsAttempts(t *testing.T) {
	var numbers []int
	synctest.Test(t, func(t *testing.T) {
		Do(t.Context(), 3, func(attempt int) error {
			numbers = append(numbers, attempt)
			return ErrRetry
		})
	})
	if fmt.Sprint(numbers) != "[0 1 2]" {
		t.Errorf("attempts %v; want 0 to 2", numbers)
	}
}

func TestDoTriesNoMoreThanItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, most := range []int{1, 2, MaxAttempts} {
			try, calls := failing(100, nil)
			start := time.Now()
			if err := Do(t.Context(), most, try); !errors.Is(err, ErrRetry) || *calls != most {
				t.Errorf("%v after %d attempts; want ErrRetry after %d", err, *calls, most)
			}
			if took := time.Since(start); most == 1 && took != 0 {
				t.Errorf("it waited %v after the only attempt", took)
			}
		}
	})
}

func TestDoStopsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		start := time.Now()
		try, calls := failing(100, nil)
		err := Do(ctx, 100, try)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want the context's error", err)
		}
		if took := time.Since(start); took != limit || *calls < 2 {
			t.Errorf("it ended after %v and %d attempts; want it at the deadline of %v", took, *calls, limit)
		}
		cancel()
		try, calls = failing(100, nil)
		if Do(ctx, 100, try); *calls != 1 {
			t.Errorf("%d attempts with a context that has ended; want 1", *calls)
		}
	})
}

func TestDoWaitsLongerAfterEachAttemptAndNotInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 20 {
			last := time.Now()
			Do(t.Context(), MaxAttempts, func(attempt int) error {
				waited := time.Since(last)
				last = time.Now()
				longest := 2 * time.Millisecond << attempt
				switch {
				case attempt == 0:
				case waited < longest/2 || waited >= longest:
					t.Errorf("%v before attempt %d; want %v to %v", waited, attempt, longest/2, longest)
				case attempt == 1:
					seen[waited] = true
				}
				return ErrRetry
			})
		}
		if len(seen) < 10 {
			t.Errorf("20 callers waited for %d different times", len(seen))
		}
	})
}
