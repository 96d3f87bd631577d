package ledger

import "fmt"

// trial is how much Check writes: more than most records take, so that a disk with room for it has room for calls.
const trial = 64 << 10

// Check returns why nothing can be written down at the moment, such as that the disk is full; nil where the last write went
// well, which costs nothing to know. After one that failed it tries whether there is room again.
func (l *Ledger) Check() error {
	if !l.failing.Load() {
		return nil
	}
	l.commit.Lock()
	defer l.commit.Unlock()
	if !l.failing.Load() {
		return nil
	}
	if err := l.try(); err != nil {
		return fmt.Errorf("writing to the journal: %w", err)
	}
	l.failing.Store(false)
	return nil
}

// try writes behind the last line, and takes it away again. Who reads the file meanwhile sees the beginning of a line that
// was not written whole. The caller holds l.commit.
func (l *Ledger) try() error {
	if err := l.mend(); err != nil {
		return err
	}
	_, err := l.file.WriteAt(make([]byte, trial), l.size)
	l.torn = true
	if mendErr := l.mend(); err == nil {
		err = mendErr
	}
	return err
}

// mend removes a part of a line from the end of the file. The caller holds l.commit.
func (l *Ledger) mend() error {
	if !l.torn {
		return nil
	}
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("removing a broken line from the journal: %w", err)
	}
	l.torn = false
	return nil
}
