// Package operate holds no code: its tests do with the real program what those who run it do. They lose everything and
// restore a backup, fill the disk, and restart nodes one after the other under load.
package operate
