package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// A dump is the rows of each table, in the text format of COPY, cut into pieces that fit into memory, and last a
// description of them: which migrations the tables had seen, and their columns. It is no pg_dump, so that nothing has to be
// installed beside Plenum and so that it goes into tables that Plenum itself has made.

// dumpPiece is how large the pieces are that a table is cut into.
const dumpPiece = 8 << 20

// described is the name of the description.
const described = "tables.json"

// tables describes a dump.
type tables struct {
	Versions []int64 `json:"versions"` // of the migrations
	Tables   []table `json:"tables"`
}

// table describes a table of a dump.
type table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Pieces  int      `json:"pieces"`
}

// Dump hands out what a database holds, as it is at one moment. The database stays in use meanwhile, and its tables are left
// as they are, of whatever version.
func Dump(ctx context.Context, address plenum.Secret, emit store.Emit) error {
	pool, err := connect(ctx, address)
	if err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	defer pool.Close()
	asOne := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, pool, asOne, func(tx pgx.Tx) error { return dump(ctx, tx, emit) })
	if err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	return nil
}

func dump(ctx context.Context, tx pgx.Tx, emit store.Emit) error {
	t, err := describe(ctx, tx)
	if err != nil {
		return err
	}
	for i := range t.Tables {
		w := &pieces{name: t.Tables[i].Name, emit: emit}
		if _, err := tx.Conn().PgConn().CopyTo(ctx, w, "COPY "+t.Tables[i].columns()+" TO STDOUT"); err != nil {
			return fmt.Errorf("table %s: %w", w.name, err)
		}
		if err := w.flush(); err != nil {
			return err
		}
		t.Tables[i].Pieces = w.n
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return emit(described, int64(len(b)), bytes.NewReader(b))
}

// columns names the table and its columns, as COPY wants them.
func (t *table) columns() string {
	quoted := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	return pgx.Identifier{t.Name}.Sanitize() + " (" + strings.Join(quoted, ", ") + ")"
}

// pieces cuts what is written to it.
type pieces struct {
	name string
	emit store.Emit
	buf  []byte
	n    int
}

// Write takes rows.
func (p *pieces) Write(b []byte) (int, error) {
	p.buf = append(p.buf, b...)
	if len(p.buf) < dumpPiece {
		return len(b), nil
	}
	return len(b), p.flush()
}

// flush hands out what was written.
func (p *pieces) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	p.n++
	err := p.emit(pieceName(p.name, p.n), int64(len(p.buf)), bytes.NewReader(p.buf))
	p.buf = p.buf[:0]
	return err
}

func pieceName(table string, n int) string { return fmt.Sprintf("%s.%06d", table, n) }

// describe tells which of our tables there are, and what they consist of.
func describe(ctx context.Context, tx pgx.Tx) (t tables, err error) {
	if t.Versions, err = applied(ctx, tx); err != nil {
		return t, err
	}
	if err := knows(t.Versions); err != nil {
		return t, fmt.Errorf("the database is %w", err)
	}
	names, err := ourTables()
	if err != nil {
		return t, err
	}
	for _, name := range names {
		rows, err := tx.Query(ctx, "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position", name)
		if err != nil {
			return t, err
		}
		columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return t, err
		}
		if len(columns) > 0 {
			t.Tables = append(t.Tables, table{Name: name, Columns: columns})
		}
	}
	return t, nil
}

// applied returns the migrations that a database has seen; none where it is not Plenum's.
func applied(ctx context.Context, tx pgx.Tx) ([]int64, error) {
	var there bool
	err := tx.QueryRow(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&there)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, errors.New("it has no tables of a Plenum")
	}
	rows, err := tx.Query(ctx, "SELECT DISTINCT version_id FROM goose_db_version WHERE is_applied AND version_id > 0 ORDER BY version_id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// knows returns an error where this program does not know all of some migrations.
func knows(versions []int64) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for _, v := range versions {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, fmt.Sprintf("migrations/%05d_", v)) }) {
			return fmt.Errorf("of a newer release than this program, %s %s: it has seen migration %d", plenum.Product, plenum.Version, v)
		}
	}
	return nil
}

// ourTables returns the tables that our migrations make. Others may be in the same database.
func ourTables() ([]string, error) {
	made := regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		b, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, m := range made.FindAllSubmatch(b, -1) {
			out = append(out, string(m[1]))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Empty returns store.ErrNotEmpty, wrapped, where a database holds anything of a Plenum.
func Empty(ctx context.Context, address plenum.Secret) error {
	pool, err := connect(ctx, address)
	if err != nil {
		return fmt.Errorf("looking into the database: %w", err)
	}
	defer pool.Close()
	if err := empty(ctx, pool); err != nil {
		return fmt.Errorf("looking into the database: %w", err)
	}
	return nil
}

// asker is a connection, or a transaction.
type asker interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func empty(ctx context.Context, q asker) error {
	names, err := ourTables()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == "revision" {
			continue // it has one row from the beginning
		}
		var there, some bool
		if err := q.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&there); err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+pgx.Identifier{name}.Sanitize()+")").Scan(&some); err != nil {
			return err
		}
		if some {
			return fmt.Errorf("table %s has rows: %w", name, store.ErrNotEmpty)
		}
	}
	return nil
}

// Load puts a dump whose parts are the files of a directory into a database, which must be empty, and brings its tables up
// to date. Of the rows either all are put there or none.
func Load(ctx context.Context, address plenum.Secret, dir string) error {
	pool, err := connect(ctx, address)
	if err != nil {
		return fmt.Errorf("filling the database: %w", err)
	}
	defer pool.Close()
	if err := load(ctx, pool, dir); err != nil {
		return fmt.Errorf("filling the database: %w", err)
	}
	return nil
}

func load(ctx context.Context, pool *pgxpool.Pool, dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, described))
	if err != nil {
		return fmt.Errorf("the archive holds no dump of a PostgreSQL: %w", err)
	}
	var t tables
	if err := json.Unmarshal(b, &t); err != nil {
		return fmt.Errorf("reading %s: %w", described, err)
	}
	if err := knows(t.Versions); err != nil {
		return fmt.Errorf("the archive is %w", err)
	}
	if err := empty(ctx, pool); err != nil {
		return err
	}
	// The rows go into the tables as they were; migrations that came later find them there.
	if err := migrateTo(ctx, pool, t.Versions); err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return fill(ctx, tx, &t, dir) }); err != nil {
		return err
	}
	return migrate(ctx, pool, migrations)
}

// fill puts the rows of a dump into the tables.
func fill(ctx context.Context, tx pgx.Tx, t *tables, dir string) error {
	names := make([]string, len(t.Tables))
	for i := range t.Tables {
		names[i] = pgx.Identifier{t.Tables[i].Name}.Sanitize()
	}
	if _, err := tx.Exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return err
	}
	if err := empty(ctx, tx); err != nil { // now that nobody else can fill them
		return err
	}
	if _, err := tx.Exec(ctx, "TRUNCATE "+strings.Join(names, ", ")); err != nil {
		return err
	}
	for i := range t.Tables {
		if err := fillTable(ctx, tx, &t.Tables[i], dir); err != nil {
			return fmt.Errorf("table %s: %w", t.Tables[i].Name, err)
		}
	}
	return nil
}

// fillTable puts the rows of one table there. Its triggers rest: what they count is in the dump.
func fillTable(ctx context.Context, tx pgx.Tx, t *table, dir string) error {
	name := pgx.Identifier{t.Name}.Sanitize()
	if _, err := tx.Exec(ctx, "ALTER TABLE "+name+" DISABLE TRIGGER USER"); err != nil {
		return err
	}
	for n := 1; n <= t.Pieces; n++ {
		if _, err := os.Stat(filepath.Join(dir, pieceName(t.Name, n))); err != nil {
			return err
		}
	}
	rows := &files{dir: dir, table: t}
	defer rows.close()
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, rows, "COPY "+t.columns()+" FROM STDIN"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "ALTER TABLE "+name+" ENABLE TRIGGER USER"); err != nil {
		return err
	}
	return countOn(ctx, tx, t.Name)
}

// countOn lets columns that count by themselves go on after the highest number that is there.
func countOn(ctx context.Context, tx pgx.Tx, name string) error {
	rows, err := tx.Query(ctx, "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'", name)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, c := range columns {
		sql := fmt.Sprintf("SELECT setval(pg_get_serial_sequence($1, $2), coalesce(max(%s), 1), max(%[1]s) IS NOT NULL) FROM %s",
			pgx.Identifier{c}.Sanitize(), pgx.Identifier{name}.Sanitize())
		if _, err := tx.Exec(ctx, sql, pgx.Identifier{name}.Sanitize(), c); err != nil {
			return err
		}
	}
	return nil
}

// files reads the pieces of a table one after the other, with one of them open at a time.
type files struct {
	dir   string
	table *table
	n     int
	f     *os.File
}

// Read reads on.
func (r *files) Read(b []byte) (int, error) {
	for {
		if r.f != nil {
			n, err := r.f.Read(b)
			if n > 0 || !errors.Is(err, io.EOF) {
				return n, err
			}
			r.close()
		}
		if r.n == r.table.Pieces {
			return 0, io.EOF
		}
		r.n++
		f, err := os.Open(filepath.Join(r.dir, pieceName(r.table.Name, r.n)))
		if err != nil {
			return 0, err
		}
		r.f = f
	}
}

func (r *files) close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
}
