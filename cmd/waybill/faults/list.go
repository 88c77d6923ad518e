package faults

import (
	"context"
	"errors"
	"time"
)

// all returns the faults in the order in which they run.
func all() []fault {
	return []fault{
		{"no-fault", synchronous, false, func(context.Context, *stage) error { return nil }},
		{"killed-backends", alone, false, killBackends},
		{"killed-primary", synchronous, false, killPrimary},
		{"crashed-primary", synchronous, false, crashPrimary},
		{"restarted-primary", synchronous, false, restartPrimary},
		{"frozen-primary", synchronous, false, freezePrimary},
		{"read-only", alone, false, makeReadOnly},
		{"full-disk", layout{smallTables: true}, false, fillDisk},
		{"full-server-disk", layout{smallServer: true}, false, fillServerDisk},
		{"frozen-standby", synchronous, false, freezeStandby},
		{"absent-standby", synchronous, false, stopStandby},
		{"failover", synchronous, false, failOver},
		{"failover-without-standby", synchronous, false, failOverToStopped},
		{"failover-asynchronous", asynchronous, true, failOverBehind},
		{"slow-network", linked, false, slowNetwork},
		{"sliced-network", linked, false, sliceNetwork},
		{"cut-network", linked, false, cutNetwork},
		{"reset-network", linked, false, resetNetwork},
		{"frozen-network", linked, false, freezeNetwork},
		{"pooled-backends", layout{standby: true, synchronous: true, pooled: true}, false, killPooled},
		{"killed-waybill", synchronous, false, killProgram},
		{"killed-replica", replicated, false, killReader},
		{"frozen-replica", replicated, false, freezeReader},
		{"replica-far-behind", replicated, false, delayReader},
		{"promoted-replica", replicated, false, promoteReader},
		{"failover-with-replicas", replicated, false, failOverReaders},
	}
}

// known returns all faults, and those that take long or need what is rarely installed: they happen only by their names.
func known() []fault {
	return append(all(), fault{"patroni-failovers", layout{supervised: true}, false, failOverPatroni})
}

// killBackends terminates all sessions of the server.
func killBackends(ctx context.Context, s *stage) error {
	for range 5 {
		if err := s.terminate(ctx); err != nil {
			return err
		}
		s.pause(ctx, 20*time.Millisecond, 100*time.Millisecond)
	}
	return nil
}

func killPrimary(ctx context.Context, s *stage) error {
	if err := s.primary.Kill(); err != nil {
		return err
	}
	return s.primary.Restart(ctx)
}

func crashPrimary(ctx context.Context, s *stage) error {
	if err := s.primary.Crash(); err != nil {
		return err
	}
	return s.primary.Restart(ctx)
}

func restartPrimary(ctx context.Context, s *stage) error { return s.primary.Restart(ctx) }

func freezePrimary(ctx context.Context, s *stage) error {
	if err := s.primary.Pause(); err != nil {
		return err
	}
	s.pause(ctx, time.Second, 2*time.Second)
	return s.primary.Resume()
}

// makeReadOnly refuses all writes for a while.
func makeReadOnly(ctx context.Context, s *stage) error {
	const setting = "default_transaction_read_only"
	if err := s.primary.Set(ctx, map[string]string{setting: "on"}); err != nil {
		return err
	}
	s.pause(ctx, 300*time.Millisecond, 600*time.Millisecond)
	return s.primary.Set(ctx, map[string]string{setting: "off"})
}

func freezeStandby(ctx context.Context, s *stage) error {
	if err := s.standby.Pause(); err != nil {
		return err
	}
	s.pause(ctx, 500*time.Millisecond, time.Second)
	return s.standby.Resume()
}

func stopStandby(ctx context.Context, s *stage) error {
	if err := s.standby.Kill(); err != nil {
		return err
	}
	s.pause(ctx, 500*time.Millisecond, time.Second)
	return s.standby.Restart(ctx)
}

// failOver kills the primary and promotes the standby; the former primary returns as its standby.
func failOver(ctx context.Context, s *stage) error {
	if err := s.primary.Kill(); err != nil {
		return err
	}
	return s.promote(ctx)
}

// failOverToStopped does the same after a while in which commits waited in vain, and their callers left.
func failOverToStopped(ctx context.Context, s *stage) error {
	if err := s.standby.Kill(); err != nil {
		return err
	}
	s.pause(ctx, 500*time.Millisecond, time.Second)
	if err := s.primary.Kill(); err != nil {
		return err
	}
	if err := s.standby.Restart(ctx); err != nil {
		return err
	}
	return s.promote(ctx)
}

// failOverBehind promotes a standby that has not received the last writes, which nobody promised.
func failOverBehind(ctx context.Context, s *stage) error { return failOverToStopped(ctx, s) }

// killPooled terminates the sessions of a pooler, and then has commits wait in vain.
func killPooled(ctx context.Context, s *stage) error {
	if err := killBackends(ctx, s); err != nil {
		return err
	}
	return stopStandby(ctx, s)
}

func slowNetwork(ctx context.Context, s *stage) error {
	return s.link.slowed(ctx, 20*time.Millisecond, func() { s.pause(ctx, 500*time.Millisecond, time.Second) })
}

func sliceNetwork(ctx context.Context, s *stage) error {
	return s.link.sliced(ctx, 16, func() { s.pause(ctx, 500*time.Millisecond, time.Second) })
}

func cutNetwork(ctx context.Context, s *stage) (err error) {
	for range 10 {
		err = errors.Join(err, s.link.cut())
		s.pause(ctx, 20*time.Millisecond, 100*time.Millisecond)
	}
	return err
}

func resetNetwork(ctx context.Context, s *stage) (err error) {
	reset := s.link.resetting(ctx, func() { err = cutNetwork(ctx, s) })
	return errors.Join(err, reset)
}

// freezeNetwork loses no connection, and passes nothing on for a while.
func freezeNetwork(ctx context.Context, s *stage) error {
	return s.link.frozen(ctx, func() { s.pause(ctx, time.Second, 2*time.Second) })
}

func killProgram(ctx context.Context, s *stage) error {
	if err := s.program.kill(); err != nil {
		return err
	}
	return s.program.start(ctx)
}
