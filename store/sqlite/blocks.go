package sqlite

import (
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/schema"
)

// blocks notes in which blocks of the journal types, sources and runs occur (see [schema.TypeKey]). It remembers what it has noted, so that the usual
// event or run costs a few comparisons. What it remembers may be forgotten at any time: a note is then written again, which changes nothing. It must be
// forgotten when a transaction is undone, since its notes are undone with it; within a savepoint, nothing is noted.
type blocks struct {
	now     int64 // the block of the events that are inserted
	types   noted
	sources noted
	runs    map[runsKey]*[recentBlocks]int64 // the last blocks, plus one, the latest first
	run     runsKey                          // the last one...
	block   int64                            // ...and its block, plus one
}

// noted are the types or sources that are noted for the current block.
type noted struct {
	last string
	all  map[string]bool
	most int
}

const (
	maxTypes     = 64 // of a block
	maxSources   = 16
	recentBlocks = 8
	maxRunsKeys  = 4096
)

type runsKey struct {
	handler store.HandlerID
	bucket  store.RunState
}

func (b *blocks) forget() { *b = blocks{} }

// add returns the name to note; ok is false if that is noted already. The empty name stands for any.
func (n *noted) add(name string) (note string, ok bool) {
	n.last = name
	switch {
	case n.all[name] || n.all[""]:
		return "", false
	case len(n.all) >= n.most:
		name = ""
	}
	n.all[name] = true
	return name, true
}

// noteEvent notes the type and the source of an event that was inserted.
func (t *txn) noteEvent(e *events.Event) error {
	b := &t.w.blocks
	block := e.Sequence >> schema.BlockShift
	if block == b.now && e.Type == b.types.last && e.Source == b.sources.last {
		return nil
	}
	if block != b.now || b.types.all == nil {
		b.now = block
		b.types, b.sources = noted{all: map[string]bool{}, most: maxTypes}, noted{all: map[string]bool{}, most: maxSources}
	}
	if name, ok := b.types.add(e.Type); ok {
		if err := t.note(schema.TypeKey(name), block); err != nil {
			return err
		}
	}
	if name, ok := b.sources.add(e.Source); ok {
		return t.note(schema.SourceKey(name), block)
	}
	return nil
}

// noteRun notes a run that was inserted in a state, or has succeeded or was skipped now.
func (t *txn) noteRun(handler store.HandlerID, state store.RunState, sequence int64) error {
	b := &t.w.blocks
	key, block := runsKey{handler, schema.RunBucket(state)}, sequence>>schema.BlockShift
	if b.block == block+1 && b.run == key {
		return nil
	}
	b.run, b.block = key, block+1
	recent := b.runs[key]
	if recent == nil {
		if b.runs == nil || len(b.runs) >= maxRunsKeys {
			b.runs = map[runsKey]*[recentBlocks]int64{}
		}
		recent = new([recentBlocks]int64)
		b.runs[key] = recent
	}
	for _, known := range recent {
		if known == block+1 {
			return nil
		}
	}
	copy(recent[1:], recent[:])
	recent[0] = block + 1
	return t.note(schema.RunKey(int64(handler), key.bucket), block)
}

func (t *txn) note(what string, block int64) error {
	st, err := t.w.prepared(`INSERT OR IGNORE INTO blocks (what, block) VALUES (?, ?)`)
	if err == nil {
		_, err = st.Exec(what, block)
	}
	return t.check(err)
}

// noteTaken notes that one handler has the runs of another, in all blocks where that one has some.
func (t *txn) noteTaken(heir, was int64) error {
	for _, state := range []store.RunState{store.Succeeded, store.Skipped, store.Running} {
		st, err := t.w.prepared(`INSERT OR IGNORE INTO blocks (what, block) SELECT ?1, block FROM blocks WHERE what = ?2`)
		if err == nil {
			_, err = st.Exec(schema.RunKey(heir, state), schema.RunKey(was, state))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
