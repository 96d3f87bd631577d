package migrate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/crypto/nacl/secretbox"
)

// Source is LiteLLM's database. Its rows are read as JSON, so that columns which a version does not have, or has more, do
// no harm.
type Source struct {
	Address string // postgres://...
	Salt    string // LITELLM_SALT_KEY, or the master key: what credentials in the database are encrypted under
}

// LiteLLMDatabase adds what the database of LiteLLM's proxy has: teams, users, keys, budgets and models. A result that is
// nil is one with nothing in it.
func LiteLLMDatabase(ctx context.Context, r *Result, src Source, now time.Time) (*Result, error) {
	db, err := pgx.Connect(ctx, src.Address)
	if err != nil {
		return nil, fmt.Errorf("opening LiteLLM's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	if r == nil {
		r = &Result{}
	}
	l := &litellm{Result: r, credentials: map[string]map[string]any{}}
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}) // one moment of all tables
	if err != nil {
		return nil, fmt.Errorf("reading LiteLLM's database: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	d := &database{litellm: l, tx: tx, salt: src.Salt, now: now, organizations: map[string]string{}, projects: map[string]string{}, members: map[string]string{}, models: map[string][]string{}, budgets: map[string]map[string]any{}, windows: map[string]float64{}}
	for _, step := range []func(context.Context) error{d.readBudgets, d.readModels, d.readOrganizations, d.readTeams, d.readUsers, d.readKeys, d.readOthers} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	l.join()
	return r, nil
}

// database is what was read of it so far.
type database struct {
	*litellm
	tx            pgx.Tx
	salt          string
	now           time.Time
	organizations map[string]string   // by their ids
	projects      map[string]string   // by the team's id
	members       map[string]string   // by the user's id
	models        map[string][]string // that a team may call, by its id
	budgets       map[string]map[string]any
	windows       map[string]float64 // what was spent of one of several budgets, by whose it is and its length
}

// rows returns the rows of a table; none where there is no such table.
func (d *database) rows(ctx context.Context, table string) ([]map[string]any, error) {
	nested, err := d.tx.Begin(ctx) // a table that is not there must not end the reading
	if err != nil {
		return nil, err
	}
	defer func() { _ = nested.Rollback(ctx) }()
	found, err := nested.Query(ctx, `SELECT to_jsonb(t)::text FROM "`+table+`" t`)
	var out []map[string]any
	if err == nil {
		out, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (v map[string]any, err error) {
			var text string
			if err = row.Scan(&text); err == nil {
				err = json.Unmarshal([]byte(text), &v)
			}
			return v, err
		})
	}
	var gone *pgconn.PgError
	if errors.As(err, &gone) && gone.Code == "42P01" {
		d.note(table, Missing, "there is no such table in this database")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", table, err)
	}
	return out, nil
}

func (d *database) readBudgets(ctx context.Context) error {
	all, err := d.rows(ctx, "LiteLLM_BudgetTable")
	for _, b := range all {
		d.budgets[text(b["budget_id"])] = b
	}
	if err != nil {
		return err
	}
	var there bool
	if err := d.tx.QueryRow(ctx, `SELECT to_regclass('"LiteLLM_BudgetWindowSpend"') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err // earlier ones of its releases have no such table
	}
	all, err = d.rows(ctx, "LiteLLM_BudgetWindowSpend")
	for _, w := range all {
		d.windows[text(w["entity_id"])+" "+text(w["window_duration"])], _ = number(w["spend"])
	}
	return err
}

// opened returns a value of the database as it is: texts are encrypted there.
func (d *database) opened(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		sealed, err := base64.URLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(v))
		if err != nil || len(sealed) < 24+secretbox.Overhead {
			return v, true // it never was
		}
		if d.salt == "" {
			return nil, false
		}
		key := sha256.Sum256([]byte(d.salt))
		plain, ok := secretbox.Open(nil, sealed[24:], (*[24]byte)(sealed[:24]), &key)
		if !ok {
			return nil, false
		}
		return string(plain), true
	case map[string]any:
		out, all := map[string]any{}, true
		for n, x := range v {
			p, ok := d.opened(x)
			if all = all && ok; ok {
				out[n] = p
			}
		}
		return out, all
	}
	return v, true
}

// closed says why credentials stay behind.
const closed = "it is encrypted; set LITELLM_SALT_KEY (or, where there was none, to the master key) to what it is encrypted under"

func (d *database) readModels(ctx context.Context) error {
	all, err := d.rows(ctx, "LiteLLM_CredentialsTable")
	if err != nil {
		return err
	}
	for _, c := range all {
		v, ok := d.opened(c["credential_values"])
		if !ok {
			d.note("credential "+text(c["credential_name"]), Missing, closed)
		}
		d.credentials[text(c["credential_name"])] = object(v)
	}
	if all, err = d.rows(ctx, "LiteLLM_ProxyModelTable"); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(text(a["model_id"]), text(b["model_id"])) })
	for _, m := range all {
		at := "model " + text(m["model_name"]) + " (" + text(m["model_id"]) + ")"
		if m["blocked"] == true {
			d.note(at, LeftOut, "it is blocked")
			continue
		}
		params, ok := d.opened(m["litellm_params"])
		if !ok {
			d.note(at, Missing, closed)
			continue
		}
		d.model(at, map[string]any{"model_name": m["model_name"], "litellm_params": params, "model_info": m["model_info"]})
	}
	return nil
}

// called returns a name that nobody else in a list has.
func (d *database) called(list, wanted, id string) string {
	n := name(wanted)
	if n == "" || d.find(list, n) != nil {
		n = strings.Trim(n+"-"+id[:min(8, len(id))], "-")
	}
	return n
}

func (d *database) readOrganizations(ctx context.Context) error {
	all, err := d.rows(ctx, "LiteLLM_OrganizationTable")
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b map[string]any) int {
		return strings.Compare(text(a["organization_id"]), text(b["organization_id"]))
	})
	for _, o := range all {
		id, alias := text(o["organization_id"]), text(o["organization_alias"])
		n := d.called("organizations", alias, id)
		d.organizations[id] = n
		item := map[string]any{"name": n}
		if alias != "" && alias != n {
			item["title"] = alias
		}
		d.add("organizations", item)
		at := "organization " + n
		d.note(at, Carried, "the organization %q", n)
		if len(texts(o["models"])) > 0 {
			d.note(at+".models", Different, "what its keys may call is in the scope of these; a policy can say it for all of them: principal in Organization::%q", n)
		}
		d.money(at, "organization-"+n, map[string]any{"organization": n}, o)
	}
	return nil
}

func (d *database) readTeams(ctx context.Context) error {
	all, err := d.rows(ctx, "LiteLLM_TeamTable")
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(text(a["team_id"]), text(b["team_id"])) })
	for _, t := range all {
		id := text(t["team_id"])
		n := d.called("projects", text(t["team_alias"]), id)
		d.projects[id], d.models[id] = n, texts(t["models"])
		item := map[string]any{"name": n}
		if alias := text(t["team_alias"]); alias != "" && alias != n {
			item["title"] = alias
		}
		if of := d.organizations[text(t["organization_id"])]; of != "" {
			item["organization"] = of
		}
		d.add("projects", item)
		at := "team " + n
		d.note(at, Carried, "the project %q", n)
		if t["blocked"] == true {
			d.note(at+".blocked", Different, "its keys are left out: a project has no such switch; a policy can forbid it all")
		}
		scope := map[string]any{"project": n}
		d.money(at, n, scope, t)
		if object(t["metadata"])["guardrails"] != nil || len(texts(t["policies"])) > 0 {
			d.note(at+".guardrails", Missing, "declare guardrails and policies anew")
		}
	}
	return nil
}

// money takes budgets and limits of somebody, whose current spend is told.
func (d *database) money(at, n string, scope, of map[string]any) {
	if b := d.budgets[text(of["budget_id"])]; b != nil { // one that several share there
		of = maps.Clone(of)
		for _, name := range []string{"max_budget", "soft_budget", "budget_duration", "budget_reset_at", "rpm_limit", "tpm_limit", "tpd_limit", "max_parallel_requests", "model_max_budget", "temp_budget_increase"} {
			if of[name] == nil {
				of[name] = b[name]
			}
		}
	}
	if amount, ok := number(of["max_budget"]); ok {
		made := d.budget(n, scope, amount, text(of["budget_duration"]), at+".max_budget")
		spent, _ := number(of["spend"])
		reset, err := stamp(text(of["budget_reset_at"]))
		switch {
		case spent <= 0:
		case err == nil && reset.Before(d.now):
			d.note(at+".spend", Different, "$%.6f was spent of it until its reset at %s, which is over: it begins anew", spent, reset.Format(time.RFC3339))
		default:
			d.Result.spent(made, spent)
			d.note(at+".spend", Carried, "$%.6f are spent of the budget %q", spent, made)
		}
	} else if spent, _ := number(of["spend"]); spent > 0 {
		d.note(at+".spend", Different, "$%.6f was spent there, of no budget; usage begins anew here", spent)
	}
	if soft, ok := number(of["soft_budget"]); ok {
		d.note(at+".soft_budget", Different, "$%v is where LiteLLM warns; budgets here warn at shares of their amount", soft)
	}
	d.limit(n, scope, of, at)
	for i, x := range list(of["budget_limits"]) {
		one, where := object(x), fmt.Sprintf("%s.budget_limits[%d]", at, i)
		if amount, ok := number(one["max_budget"]); ok {
			duration := text(one["budget_duration"])
			made := d.budget(n+"-"+cmp.Or(duration, "total"), scope, amount, duration, where)
			spent := d.windows[cmp.Or(text(of["token"]), text(of["user_id"]), text(of["team_id"]))+" "+duration]
			if reset, err := stamp(text(one["reset_at"])); spent > 0 && (err != nil || reset.After(d.now)) {
				d.Result.spent(made, spent)
				d.note(where+".spend", Carried, "$%.6f are spent of the budget %q", spent, made)
			}
		}
	}
	if more, _ := number(of["temp_budget_increase"]); more > 0 {
		d.note(at+".temp_budget_increase", Missing, "$%v more until %s: raise the budget, and lower it then", more, cmp.Or(text(of["temp_budget_expiry"]), "its end"))
	}
	for _, model := range slices.Sorted(maps.Keys(object(of["model_max_budget"]))) {
		one := object(object(of["model_max_budget"])[model])
		amount, ok := number(object(of["model_max_budget"])[model])
		if one != nil {
			if amount, ok = number(one["budget_limit"]); !ok {
				amount, ok = number(one["max_budget"])
			}
		}
		if !ok {
			continue
		}
		within := maps.Clone(scope)
		within["deployment"] = name(model)
		duration := text(one["time_period"])
		if duration == "" {
			duration = text(one["budget_duration"])
		}
		d.budget(n+"-"+model, within, amount, duration, at+".model_max_budget."+model)
	}
}

// roles are what LiteLLM's roles may here.
func roles(of string) (string, bool) {
	switch of {
	case "proxy_admin":
		return "admin", true
	case "proxy_admin_viewer":
		return "auditor", true
	}
	return "", false
}

func (d *database) readUsers(ctx context.Context) error {
	all, err := d.rows(ctx, "LiteLLM_UserTable")
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(text(a["user_id"]), text(b["user_id"])) })
	teams, err := d.rows(ctx, "LiteLLM_TeamTable")
	if err != nil {
		return err
	}
	memberships, err := d.rows(ctx, "LiteLLM_OrganizationMembership")
	if err != nil {
		return err
	}
	for _, u := range all {
		id := text(u["user_id"])
		n := strings.ToLower(text(u["user_email"]))
		if n == "" || d.find("members", n) != nil {
			n = id
		}
		d.members[id] = n
		item := map[string]any{"name": n}
		if alias := text(u["user_alias"]); alias != "" {
			item["title"] = alias
		}
		var grants []any
		if role, ok := roles(text(u["user_role"])); ok {
			grants = append(grants, map[string]any{"role": role})
		}
		for _, t := range teams {
			for _, m := range list(t["members_with_roles"]) {
				if text(object(m)["user_id"]) != id || d.projects[text(t["team_id"])] == "" {
					continue
				}
				role := "developer"
				if text(object(m)["role"]) == "admin" {
					role = "admin"
				}
				grants = append(grants, map[string]any{"role": role, "project": d.projects[text(t["team_id"])]})
			}
		}
		for _, m := range memberships {
			of := d.organizations[text(m["organization_id"])]
			if text(m["user_id"]) != id || of == "" {
				continue
			}
			role := "developer"
			if text(m["user_role"]) == "org_admin" {
				role = "admin"
			}
			grants = append(grants, map[string]any{"role": role, "organization": of})
		}
		if len(grants) > 0 {
			item["roles"] = grants
		}
		d.add("members", item)
		d.note("user "+n, Carried, "the member %q", n)
		if text(u["password"]) != "" {
			d.note("user "+n+".password", Different, "people sign in by an identity provider here (identity_providers)")
		}
		if len(texts(u["models"])) > 0 {
			d.note("user "+n+".models", Different, "what their keys may call is in the scope of these")
		}
		d.money("user "+n, "user-"+n, map[string]any{"member": n}, u)
	}
	return nil
}

func (d *database) readKeys(ctx context.Context) error {
	all, err := d.rows(ctx, "LiteLLM_VerificationToken")
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(text(a["token"]), text(b["token"])) })
	names := map[string]bool{}
	for _, k := range all {
		d.key(k, names)
	}
	return nil
}

// key takes one key.
func (d *database) key(k map[string]any, names map[string]bool) {
	sum := text(k["token"])
	shown := text(k["key_name"])
	n := name(text(k["key_alias"]))
	if n == "" || names[n] {
		n = strings.Trim(n+"-"+sum[:min(8, len(sum))], "-")
	}
	names[n] = true
	at := "key " + n
	out := Key{Name: n, Project: d.projects[text(k["team_id"])], Member: d.members[text(k["user_id"])], SHA256: sum, Prefix: shown}
	if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		d.note(at, Missing, "it is kept in clear there and not as a hash: LiteLLM hashes keys that begin with sk-; make another")
		return
	}
	if out.Prefix == "" {
		out.Prefix = "sk-..."
	}
	if e := text(k["expires"]); e != "" {
		until, err := stamp(e)
		if err != nil {
			d.note(at+".expires", Missing, "%q is no time; the key is left out", e)
			return
		}
		if !until.After(d.now) {
			d.note(at, LeftOut, "it expired on %s", until.Format(time.DateOnly))
			return
		}
		out.Expires = &until
	}
	if k["blocked"] == true {
		d.note(at, LeftOut, "it is blocked")
		return
	}
	if text(object(k["metadata"])["litellm_dashboard"]) != "" || text(k["team_id"]) == "litellm-dashboard" {
		d.note(at, LeftOut, "it is a session of LiteLLM's own pages")
		return
	}
	allowed := texts(k["models"])
	if len(allowed) == 0 || slices.Contains(allowed, "all-team-models") {
		allowed = d.models[text(k["team_id"])]
	}
	if slices.Contains(allowed, "no-default-models") {
		d.note(at, LeftOut, "it may call no model")
		return
	}
	for _, m := range allowed {
		if m == "all-proxy-models" || m == "*" {
			out.Deployments = nil
			break
		}
		out.Deployments = append(out.Deployments, d.deployments(m)...)
	}
	if len(allowed) > 0 && len(out.Deployments) == 0 && !slices.Contains(allowed, "all-proxy-models") && !slices.Contains(allowed, "*") {
		d.note(at+".models", Missing, "none of %s is a deployment here; the key is left out, for without a bound it could call all", strings.Join(allowed, ", "))
		return
	}
	d.Keys = append(d.Keys, out)
	d.note(at, Carried, "its secret stays good, in the project %q", cmp.Or(out.Project, "default"))
	for field, why := range map[string]string{
		"aliases": "names of models that only this key has; give deployments aliases", "allowed_routes": "give it a scope with operations, or declare a policy",
		"access_group_ids": "groups of models: say which deployments in its scope", "budget_fallbacks": "targets of a later priority do that for a deployment", "allowed_cache_controls": "nothing here reads it",
		"permissions": "declare a policy", "router_settings": "routing is a deployment's", "policies": "declare policies anew", "config": "nothing here reads it",
	} {
		if len(object(k[field])) > 0 || len(list(k[field])) > 0 {
			d.note(at+"."+field, Missing, "%s", why)
		}
	}
	if k["auto_rotate"] == true {
		d.note(at+".auto_rotate", Missing, "keys are rotated when somebody asks for it: plenum rotate key")
	}
	if p := text(k["project_id"]); p != "" {
		d.note(at+".project_id", Missing, "it is of the project %s of a team there; here a project is a team: its budget does not hold for it", p)
	}
	d.money(at, "key-"+n, map[string]any{"key": n}, k)
}

// deployments returns the names that stand for a model that a key may call.
func (d *database) deployments(model string) []string {
	if d.find("deployments", name(model)) != nil {
		return []string{name(model)}
	}
	var out []string
	for _, x := range d.Lists["deployments"] {
		for _, a := range list(x["aliases"]) {
			if text(a) == model {
				out = append(out, text(x["name"]))
			}
		}
	}
	if len(out) == 0 && strings.Contains(model, "*") {
		out = append(out, model)
	}
	return out
}

// stamp reads a time as PostgreSQL says it in JSON: without a zone it is UTC.
func stamp(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", s)
}

// readOthers tells of the tables that nothing here stands for. Those that are read, those of what was spent and how healthy
// something was, and those that its proxy keeps for itself are not among them.
func (d *database) readOthers(ctx context.Context) error {
	names, err := d.tx.Query(ctx, `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name LIKE 'LiteLLM\_%' ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("listing its tables: %w", err)
	}
	all, err := pgx.CollectRows(names, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing its tables: %w", err)
	}
	for _, table := range all {
		why, told := otherTable(strings.TrimPrefix(table, "LiteLLM_"))
		if !told {
			continue
		}
		var n int
		if err := d.tx.QueryRow(ctx, "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n); err != nil {
			return fmt.Errorf("counting %s: %w", table, err)
		}
		if n > 0 {
			d.note(table, Missing, "%d rows: %s", n, why)
		}
	}
	return nil
}

// otherTable says what is to be done about a table, by its name without LiteLLM_; false where nothing is.
func otherTable(name string) (why string, told bool) {
	switch name {
	case "BudgetTable", "CredentialsTable", "ProxyModelTable", "OrganizationTable", "OrganizationMembership", "TeamTable", "UserTable", "VerificationToken", "BudgetWindowSpend",
		"SpendLogs", "SpendLogToolIndex", "SpendLogGuardrailIndex", "ErrorLogs", "AuditLog", "HealthCheckTable", "CronJob", "UserNotifications",
		"DeletedTeamTable", "DeletedVerificationToken", "DeprecatedVerificationToken", "InvitationLink", "CLISession":
		return "", false
	case "EndUserTable":
		return "end users are not known one by one; what they spend is on record with each call", true
	case "TeamMembership":
		return "a budget of a member within a team: declare one with the scope of both, project and member", true
	case "TagTable":
		return "declare budgets of deployments or keys", true
	case "ProjectTable":
		return "projects within a team: here a project is a team; declare further projects and budgets of theirs", true
	case "Config":
		return "settings that were changed in its pages: put them into its file, and read that", true
	case "AccessGroupTable":
		return "groups of models: say which deployments in the scopes of keys, or in a policy", true
	case "JWTKeyMapping":
		return "declare issuers, whose tokens stand for accounts", true
	case "SSOConfig":
		return "declare identity_providers", true
	case "PolicyTable", "PolicyAttachmentTable":
		return "declare policies anew", true
	case "GuardrailsTable":
		return "declare guardrails anew", true
	case "PromptTable":
		return "prompts are not kept here", true
	}
	if strings.HasPrefix(name, "Daily") {
		return "", false
	}
	if strings.Contains(name, "MCP") {
		return "tools are not hosted here", true
	}
	return "nothing here stands for it", true
}
