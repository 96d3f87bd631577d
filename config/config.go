// Package config reads what an owner declares in plenum.yaml, tells them everything that is wrong with
// it and where, and compiles it into a Snapshot: the immutable form that calls are answered under.
//
// A File is what was written, a Snapshot is what it means, and a Watcher follows the file while Plenum
// runs: a good change is published whole, a bad one changes nothing and says why. Calls in flight keep
// the Snapshot that they began with.
//
// The package knows no vendor. What it must know of providers, of the catalog and of keys comes in
// through Options.
package config

import (
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// File is a configuration as it is declared, with the defaults filled in. The tags are its one
// description: the parser, the reference in docs/configuration.md and the JSON Schema are made from
// them.
type File struct {
	Listen          string         `conf:"listen" default:"127.0.0.1:8080" restart:"yes" doc:"The address that Plenum serves on, as host:port. Without a host it is every address of the machine."`
	TLS             *TLS           `conf:"tls" restart:"yes" doc:"Serve over TLS. Without it Plenum serves in clear text."`
	DataDir         string         `conf:"data_dir" default:"./data" restart:"yes" doc:"The directory of the embedded store, the ledger's journal and the pepper of the keys."`
	Database        plenum.Secret  `conf:"database" restart:"yes" doc:"Address of a PostgreSQL database (postgres://...) that keeps the state of several nodes instead of the embedded store."`
	Valkey          plenum.Secret  `conf:"valkey" restart:"yes" doc:"Address of a Valkey or Redis server (redis://...) that several nodes share limits and budgets through."`
	Pepper          plenum.Secret  `conf:"pepper" restart:"yes" doc:"What callers' keys are hashed under: 32 random bytes in hexadecimal, from the environment or a file; all nodes of one database have the same. Left out it is in the data directory, made on the first start."`
	MasterKey       plenum.Secret  `conf:"master_key" restart:"yes" doc:"The key that vendors' credentials in the store and kept content are encrypted under: 32 random bytes in hexadecimal or base64, from the environment or a file. Left out it is made of the pepper of the keys."`
	MasterKeyKMS    string         `conf:"master_key_kms" restart:"yes" doc:"The address of that key at a key management service instead: aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID; a build can have others."`
	MasterKeysOld   []string       `conf:"master_keys_before" restart:"yes" doc:"The master keys before, which still open what was encrypted under them until plenum rotate master-key has run: files with them, or addresses as in master_key_kms."`
	AdminKey        plenum.Secret  `conf:"admin_key" doc:"The key of the management API; it also guards /metrics. At least 16 characters."`
	MaxBody         Size           `conf:"max_body" default:"64MiB" min:"1024" doc:"The largest body of a request, as it is sent."`
	MaxDecompressed Size           `conf:"max_decompressed" default:"256MiB" min:"1024" doc:"The largest body of a request after decompression."`
	MaxDepth        int            `conf:"max_depth" default:"1000" min:"8" max:"100000" doc:"How deep the JSON of a request may nest."`
	MaxEvent        Size           `conf:"max_event" default:"32MiB" min:"4096" doc:"The largest single event of an upstream's stream."`
	MaxAnswer       Size           `conf:"max_answer" default:"64MiB" min:"1024" doc:"The largest answer of an upstream that comes whole, after decompression; a streamed one passes as it comes."`
	MaxInFlight     Size           `conf:"max_in_flight" default:"1GiB" min:"1024" doc:"The most that the bodies of all calls hold at one time: of requests, and of answers that are not streamed. Who comes when it is full is told to try again (503). Plenum itself needs up to three times this for them."`
	Files           Files          `conf:"files" doc:"What callers may keep here: files, and the input and output of batches."`
	Timeouts        Patience       `conf:"timeouts" doc:"How long Plenum waits for a slow caller."`
	DrainDelay      time.Duration  `conf:"drain_delay" default:"0s" min:"0s" doc:"How long a stopping Plenum still takes calls while /readyz says that it is not ready: as long as the balancer before it may need to see that."`
	Drain           time.Duration  `conf:"drain" default:"30s" min:"0s" doc:"How long a stopping Plenum lets the calls in flight finish."`
	Log             Log            `conf:"log" doc:"The log: one line a call."`
	Ledger          Ledger         `conf:"ledger" doc:"The append-only record of calls."`
	Retry           Retry          `conf:"retry" doc:"How often and how long a call is tried again, where its deployment does not say."`
	ProbeAge        time.Duration  `conf:"probe_age" default:"720h" min:"0s" doc:"How long what plenum probe found out of an offer counts; then the catalog is believed again. 0s is for ever."`
	PriceAge        time.Duration  `conf:"price_age" default:"2160h" min:"0s" doc:"From how old on the sources of a price in the catalog are called stale. Such a price is applied all the same. 0s is never."`
	Connections     []Connection   `conf:"connections" noun:"connection" doc:"The places that serve models, with their credentials."`
	Deployments     []Deployment   `conf:"deployments" noun:"deployment" doc:"The names that callers put in model, and what each binds."`
	Content         Content        `conf:"content" doc:"What Plenum keeps of what callers and models say. Nothing, where this is left out."`
	Organizations   []Organization `conf:"organizations" noun:"organization" doc:"What projects and people belong to, where several share a Plenum: a role in one holds in its projects, and shows nothing of the others."`
	Projects        []Project      `conf:"projects" noun:"project" doc:"What keys, calls and money belong to. Keys may name projects that are not here; the management API makes keys for these alone, and for default."`
	Members         []Member       `conf:"members" noun:"member" doc:"People, and what they may do with the management API."`
	Issuers         []Issuer       `conf:"issuers" noun:"issuer" doc:"Who vouches for callers by signed tokens (Entra ID, Google, Kubernetes, any OpenID Connect issuer), and whom their tokens stand for."`
	Publishers      []Publisher    `conf:"publishers" noun:"publisher" doc:"Who may publish models at the vendor desk."`
	UseTerms        []UseTerms     `conf:"terms" noun:"terms" doc:"Terms of use that projects accept before they call what is under them."`
	Acceptances     []Acceptance   `conf:"acceptances" noun:"acceptance" doc:"Which project has accepted which terms. The management API notes who did so and when."`
	Desk            Desk           `conf:"desk" doc:"The vendor desk: how models that publishers submit are tried, and what becomes of those that drift from their cards."`
	Budgets         []Budget       `conf:"budgets" noun:"budget" doc:"Limits in money."`
	Limits          []Limit        `conf:"limits" noun:"limit" doc:"Limits in requests, in tokens, and in calls at the same time."`
	Alerts          []Alert        `conf:"alerts" noun:"alert" doc:"Who is told when budgets and limits are used up to a part of them."`
	Policies        []Policy       `conf:"policies" noun:"policy" doc:"Who may use what, in Cedar. Without any everything is allowed to every key; with one, what none permits is refused, and a forbid wins."`
	Keys            []Key          `conf:"keys" doc:"Callers' keys, for declared set-ups and tests; people make theirs with plenum create key."`

	ServiceAccounts []ServiceAccount `conf:"service_accounts" noun:"service_account" doc:"Programs, and what they may do with the management API. Keys and tokens of issuers belong to one as they belong to a member."`
	SCIM            SCIM             `conf:"scim" doc:"What a directory that keeps members at /scim/v2 gives them."`

	ValkeyAway ValkeyAway `conf:"valkey_away" restart:"yes" doc:"What becomes of calls that budgets and limits hold for while that server is away."`

	IdentityProviders []IdentityProvider `conf:"identity_providers" noun:"identity_provider" doc:"Who signs people in: OpenID Connect providers (Entra ID, Google, Okta, Keycloak, any)."`
	Sessions          Sessions           `conf:"sessions" doc:"How long people stay signed in."`

	source source
}

// Sessions bounds how long people stay signed in.
type Sessions struct {
	Idle time.Duration `conf:"idle" default:"8h" min:"1m" doc:"How long after the last request of theirs."`
	Max  time.Duration `conf:"max" default:"24h" min:"1m" doc:"How long at most; then the identity provider is asked again."`
}

// ValkeyAway says what becomes of calls while the server of the budgets is away.
type ValkeyAway struct {
	Mode     string        `conf:"mode" default:"closed" enum:"closed share" doc:"closed: calls that budgets or limits hold for are refused (503). share: each node goes on with a share that it has put by of each of them."`
	Share    int           `conf:"share" default:"10" min:"1" max:"50" doc:"The share of each node, in hundredths of what is left. All nodes together should have less than half."`
	Lasts    time.Duration `conf:"lasts" default:"1h" min:"1s" doc:"How long a node goes on with its share. What a node had put by that is gone for good comes back to the others after twice that."`
	Patience time.Duration `conf:"patience" default:"5s" min:"10ms" doc:"How long a call waits for the server before it counts as away. While it does, no call waits for it."`
	Lease    time.Duration `conf:"lease" default:"30s" min:"1s" doc:"How long what a node holds for its calls stays held when the node is gone."`
}

// Files bounds what callers keep.
type Files struct {
	MaxSize  Size `conf:"max_size" default:"512MiB" min:"1024" doc:"The largest file."`
	MaxTotal Size `conf:"max_total" default:"10GiB" min:"1024" doc:"The most that all files of a project measure, those that batches write included."`
}

// TLS is where the server's certificate comes from: two files, or an authority that speaks ACME.
type TLS struct {
	Cert string `conf:"cert" doc:"File with the certificate and its chain, in PEM."`
	Key  string `conf:"key" doc:"File with the certificate's private key, in PEM."`
	// Whom clients' certificates must come from, and who they may be.
	ClientCA   string   `conf:"client_ca" doc:"File with the certificates, in PEM, that clients' certificates must come from; left out, clients are asked for none. It and cert and key are read again when they change."`
	ClientAuth string   `conf:"client_auth" default:"required" enum:"required optional" doc:"Whether a client without a certificate is turned away, where there is a client_ca. One with a bad certificate is, either way."`
	Clients    []string `conf:"clients" doc:"The names of which a client's certificate must have one: a URI, an address of mail, a host, or the common name. Left out, any that client_ca vouches for is good. A certificate takes the place of no key."`
	ACME       *ACME    `conf:"acme" doc:"Get the certificate from an authority by ACME (RFC 8555), in the place of cert and key."`
}

// ACME says which authority certificates come from, for which names, and how it makes sure of them.
type ACME struct {
	Domains     []string      `conf:"domains" required:"yes" doc:"The names that certificates are for, one each. Clients that name none are shown the first."`
	Directory   string        `conf:"directory" default:"https://acme-v02.api.letsencrypt.org/directory" doc:"The address of the authority's directory."`
	AcceptTerms bool          `conf:"accept_terms" default:"false" doc:"Whether you accept the authority's terms of service. It must be true: nobody does it for you."`
	Email       string        `conf:"email" doc:"Where the authority writes about the certificates."`
	CA          string        `conf:"ca" doc:"File with the certificates, in PEM, that the directory's must come from; those of the system if left out."`
	HTTP        string        `conf:"http" doc:"Address such as :80 that is listened on as well, for authorities that ask there (http-01); all else is sent on to https. Left out, they ask in the TLS handshake at listen (tls-alpn-01), which must then be port 443 for them."`
	EABKey      string        `conf:"eab_key" doc:"The id of the account that you have with the authority (external account binding), where it wants one."`
	EABSecret   plenum.Secret `conf:"eab_hmac" doc:"Its HMAC key, in base64url."`
}

// Patience is how long Plenum waits for a slow caller.
type Patience struct {
	ReadHeader time.Duration `conf:"read_header" default:"10s" min:"10ms" doc:"For the whole head of a request."`
	ReadBody   time.Duration `conf:"read_body" default:"60s" min:"10ms" doc:"Between two pieces of a request's body."`
	WriteIdle  time.Duration `conf:"write_idle" default:"60s" min:"10ms" doc:"For the caller to take the next piece of an answer."`
	Idle       time.Duration `conf:"idle" default:"120s" min:"10ms" doc:"For the next request on an open connection."`
}

// Log is how the log is written.
type Log struct {
	Level  string `conf:"level" default:"info" enum:"debug info warn error" doc:"The least severe lines to write."`
	Format string `conf:"format" default:"auto" enum:"auto text json" doc:"auto is text on a terminal and json elsewhere."`
}

// Ledger is how the record of calls is kept.
type Ledger struct {
	Fsync   bool     `conf:"fsync" default:"false" restart:"yes" doc:"Sync the journal to disk before an answer's first byte: records then survive a loss of power, not only of the process."`
	Anchors []Anchor `conf:"anchors" restart:"yes" doc:"Where each node puts the head of its record, so that whoever rewrites it all is found out."`
}

// Anchor is a place outside for the head of the record.
type Anchor struct {
	Kind  string        `conf:"kind" required:"yes" enum:"file git rfc3161 log" doc:"A file that lines are added to; a git repository; a time-stamping authority (RFC 3161); a log that takes JSON by POST."`
	Name  string        `conf:"name" doc:"What the audit calls it; the kind if left out."`
	Path  string        `conf:"path" doc:"Of file, the file; of git, the work tree; of rfc3161, a file for what was stamped."`
	Push  string        `conf:"push" doc:"Of git, the remote to push to after each commit."`
	URL   string        `conf:"url" doc:"Of rfc3161 and log, the address."`
	CA    string        `conf:"ca" doc:"Of rfc3161, a file with the certificates, in PEM, that the authority's must come from; left out, any is taken."`
	Every time.Duration `conf:"every" default:"1h" min:"1s" doc:"How often; nothing is put where nothing was written meanwhile."`
}

// Retry bounds how often and how long a call is tried again.
type Retry struct {
	Attempts int           `conf:"attempts" default:"3" min:"1" max:"20" doc:"The most attempts of one call, over all targets."`
	MaxWait  time.Duration `conf:"max_wait" default:"10s" min:"0s" doc:"The longest wait before an attempt; an upstream that asks for more is given up."`
}

// Content is what is kept of what callers and models say.
type Content struct {
	Keep      bool          `conf:"keep" default:"false" doc:"Keep answers that their callers want kept, with their input: for previous_response_id, conversations and answers in the background. They belong to the project."`
	Projects  []string      `conf:"projects" doc:"Only for these projects; left out it is for all."`
	OptIn     bool          `conf:"opt_in" default:"false" doc:"Only for projects that ask for it themselves by content.keep."`
	Retention time.Duration `conf:"retention" default:"720h" min:"1m" doc:"How long an answer is kept, and a conversation after it was last used."`
	Redact    []string      `conf:"redact" doc:"What is taken out before it is kept: keys, cards, iban, email, phone. A word in brackets takes its place, such as [EMAIL]; who goes on from such an answer goes on from what is left of it."`
	Patterns  []Redaction   `conf:"redact_patterns" doc:"What else is taken out."`
	Calls     bool          `conf:"calls" default:"false" doc:"Projects may have what is asked and answered in all their calls kept as transcripts, each by its own content.calls."`
	CallBytes Size          `conf:"call_bytes" default:"4MiB" min:"1024" doc:"The most that a transcript holds of what was asked, and of what was answered; of what is larger it has the size alone."`
}

// Redaction is a pattern of what is taken out of what is kept.
type Redaction struct {
	Name    string `conf:"name" required:"yes" doc:"What takes its place, in capitals and brackets."`
	Pattern string `conf:"pattern" required:"yes" doc:"A regular expression in Go's syntax, which takes linear time."`
}

// Connection is a configured place that serves models.
type Connection struct {
	Name        string                   `conf:"name" required:"yes" doc:"What targets call it by."`
	Provider    string                   `conf:"provider" required:"yes" doc:"The kind of place, such as xai, azure or openai-compatible."`
	BaseURL     string                   `conf:"base_url" doc:"Its address, where it is not the provider's own."`
	Credentials map[string]plenum.Secret `conf:"credentials" doc:"The credentials that the provider wants; most want api_key."`
	Timeouts    Timeouts                 `conf:"timeouts" doc:"How long to wait for it."`
	Headers     map[string]plenum.Secret `conf:"headers" doc:"Headers sent with every request."`
	Network     string                   `conf:"network" default:"auto" enum:"auto public private any" doc:"What its calls may reach: public is the internet alone; private also private and loopback addresses; any also link-local ones, where clouds keep the credentials of their machines. auto is public, but private where a file declares the connection and its base_url names such an address or a local name (localhost, ollama, gpu.lan). Checked when an address is dialled."`
	TLS         ConnectionTLS            `conf:"tls" doc:"Who it must be, and who we are to it, where the internet's authorities and a key are not enough."`
	Region      string                   `conf:"region" doc:"Where it is, for routing and records."`
	Terms       string                   `conf:"terms" doc:"The terms that a project accepts before it calls anything here, by their name in terms; left out is none."`
	Settings    map[string]string        `conf:",rest" doc:"Whatever else the provider wants, such as api_version."`
}

// ConnectionTLS says whose certificates are trusted of an upstream, and which one is shown to it (mutual TLS, RFC 8446, section 4.4.2).
type ConnectionTLS struct {
	CA         string        `conf:"ca" doc:"The certificates, in PEM, that its own must come from, in the place of the system's. ${file:PATH} takes them from a file, and follows it."`
	Cert       string        `conf:"cert" doc:"The certificate, in PEM with its chain, that is shown where it asks for one."`
	Key        plenum.Secret `conf:"key" doc:"The private key of cert, in PEM."`
	ServerName string        `conf:"server_name" doc:"The name that its certificate must have, where it is not the one in base_url."`
}

// Timeouts bound a call to an upstream.
type Timeouts struct {
	Connect   time.Duration `conf:"connect" default:"5s" min:"1ms" doc:"Until connected, TLS included."`
	FirstByte time.Duration `conf:"first_byte" default:"120s" min:"1ms" doc:"From the request until the first piece of an answer."`
	Idle      time.Duration `conf:"idle" default:"60s" min:"1ms" doc:"Between two pieces of an answer."`
	Total     time.Duration `conf:"total" default:"15m" min:"1ms" doc:"For all of it."`
}

// Deployment is a name that callers put in model, and what it binds.
type Deployment struct {
	Name       string     `conf:"name" required:"yes" doc:"Letters, digits and . _ : / -, at most 256."`
	Aliases    []string   `conf:"aliases" doc:"Other names; * in one stands for any run of characters."`
	Model      string     `conf:"model" doc:"The model in the catalog, as publisher/name."`
	Strategy   string     `conf:"strategy" default:"ordered" enum:"ordered weighted latency cost headroom affinity" doc:"How a target is chosen."`
	Targets    []Target   `conf:"targets" required:"yes" doc:"The offers that may answer."`
	Parameters string     `conf:"parameters" default:"report" enum:"strict report drop pass" doc:"What is done with a parameter that the target refuses: refuse the call, leave it out and say so, leave it out, or send it."`
	Structured string     `conf:"structured" default:"auto" enum:"auto native tool retry refuse" doc:"How an answer gets the shape that a caller asks for where the host does not answer for it: auto gets it by a tool or by retry from hosts known to lack it; native asks the host whatever is known; tool and retry get it so from all hosts not known to have it; refuse refuses the call where the host lacks it."`
	Lossy      string     `conf:"lossy" default:"allow" enum:"allow refuse" doc:"Whether a call may go to a target whose dialect cannot carry all of it."`
	Lifecycle  string     `conf:"lifecycle" default:"refuse" enum:"allow refuse" doc:"Whether calls on what the upstream keeps (vector stores, fine-tunes, containers and the like) pass. They can be neither priced nor screened."`
	Opaque     string     `conf:"opaque" default:"refuse" enum:"allow refuse" doc:"Whether operations pass that the guardrail cannot read (images, sound, realtime sessions) or a budget cannot price, where there is one."`
	UnknownIDs string     `conf:"unknown_ids" default:"refuse" enum:"allow refuse" doc:"Whether requests may name files, vector stores, containers and the like at the upstream that Plenum knows nothing of, because they were made past it. What another project owns is refused either way."`
	SharedIDs  []string   `conf:"shared_ids" doc:"Ids at the upstream that every caller may name; one that ends in * stands for all that begin so."`
	Guardrail  string     `conf:"guardrail" doc:"The guardrail that holds for it."`
	Limits     Limits     `conf:"limits" doc:"What may pass through it."`
	Keep       plenum.Tri `conf:"keep_content" doc:"Whether what is said through it may be kept; left out, content.keep says."`
	Retry      *Retry     `conf:"retry" doc:"How often and how long a call is tried again."`
}

// Target is an offer as a deployment uses it.
type Target struct {
	Connection string  `conf:"connection" required:"yes" doc:"The connection's name."`
	Upstream   string  `conf:"upstream_model" doc:"The model's id at the connection; the deployment's name if it is left out. * in it stands for what * in the alias matched."`
	Weight     int     `conf:"weight" default:"1" min:"0" max:"1000000" doc:"Its share among targets of the same priority, where the strategy is weighted."`
	Priority   int     `conf:"priority" default:"1" min:"0" max:"1000000" doc:"Lower is tried first."`
	Region     string  `conf:"region" doc:"Where it is, if the connection does not say."`
	License    string  `conf:"license" doc:"The licence of the model's weights, as Apache-2.0, or proprietary, for policies; left out, the catalog says."`
	Terms      string  `conf:"terms" doc:"The terms that a project accepts before it uses this, by their name in terms; left out, the connection says."`
	Context    int     `conf:"context" min:"0" doc:"The most tokens of input and output together, where the catalog does not know."`
	MaxOutput  int     `conf:"max_output" min:"0" doc:"The most tokens of output, where the catalog does not know."`
	Price      *Price  `conf:"price" doc:"What it charges, in US dollars, where the catalog does not know or you pay another price."`
	Traits     *Traits `conf:"traits" doc:"How its version of the dialect differs from the plain one."`
}

// Price is what an offer charges. A class that is left out costs what the plain class of its side does.
type Price struct {
	Input        *plenum.Rate `conf:"input_usd_per_million" required:"yes" doc:"Tokens read."`
	Output       *plenum.Rate `conf:"output_usd_per_million" required:"yes" doc:"Tokens written."`
	CacheRead    *plenum.Rate `conf:"cache_read_usd_per_million" doc:"Tokens read from the prompt cache."`
	CacheWrite5m *plenum.Rate `conf:"cache_write_5m_usd_per_million" doc:"Tokens written to the prompt cache, default lifetime."`
	CacheWrite1h *plenum.Rate `conf:"cache_write_1h_usd_per_million" doc:"Tokens written to the prompt cache for an hour."`
	InputAudio   *plenum.Rate `conf:"input_audio_usd_per_million" doc:"Tokens of sound read."`
	InputImage   *plenum.Rate `conf:"input_image_usd_per_million" doc:"Tokens of images read."`
	Reasoning    *plenum.Rate `conf:"reasoning_usd_per_million" doc:"Tokens written as reasoning."`
	OutputAudio  *plenum.Rate `conf:"output_audio_usd_per_million" doc:"Tokens of sound written."`
	OutputImage  *plenum.Rate `conf:"output_image_usd_per_million" doc:"Tokens of images written."`
	Search       *plenum.Rate `conf:"search_usd_per_thousand" scale:"1000" doc:"A thousand searches that the vendor ran, on the web or to rank documents."`
	Image        *plenum.Rate `conf:"image_usd_per_thousand" scale:"1000" doc:"A thousand images made."`
	Character    *plenum.Rate `conf:"character_usd_per_million" doc:"A million characters of text that were made sound."`
	Second       *plenum.Rate `conf:"second_usd_per_thousand" scale:"1000" doc:"A thousand seconds of sound that were read."`

	Long     *LongPrice     `conf:"long_prompts" doc:"What calls cost that read more than so many tokens, all of them."`
	Priority *TierPrice     `conf:"priority" doc:"What the priority tier costs, where the upstream says that it served at it."`
	Flex     *TierPrice     `conf:"flex" doc:"What the flexible tier costs, likewise."`
	Batch    *TierPrice     `conf:"batch" doc:"What the batch tier costs, likewise."`
	Hours    *HoursPrice    `conf:"hours" doc:"What some hours of each day cost."`
	Pictures []PicturePrice `conf:"images" doc:"What images cost by quality and size; the first line that fits counts, and those that none fits cost image_usd_per_thousand."`
}

// TierPrice is what is charged on other terms than the standard ones. A class that is left out costs what the plain
// class of its side does.
type TierPrice struct {
	Input        *plenum.Rate `conf:"input_usd_per_million" required:"yes" doc:"Tokens read."`
	Output       *plenum.Rate `conf:"output_usd_per_million" required:"yes" doc:"Tokens written."`
	CacheRead    *plenum.Rate `conf:"cache_read_usd_per_million" doc:"Tokens read from the prompt cache."`
	CacheWrite5m *plenum.Rate `conf:"cache_write_5m_usd_per_million" doc:"Tokens written to the prompt cache, default lifetime."`
	CacheWrite1h *plenum.Rate `conf:"cache_write_1h_usd_per_million" doc:"Tokens written to the prompt cache for an hour."`
}

// LongPrice is what long prompts cost.
type LongPrice struct {
	Above int       `conf:"above" required:"yes" min:"1" doc:"Tokens read."`
	Price TierPrice `conf:"price" required:"yes" doc:"What they cost."`
}

// HoursPrice is what some hours of each day cost.
type HoursPrice struct {
	From  string    `conf:"from" required:"yes" doc:"The first minute in UTC, as 16:30."`
	To    string    `conf:"to" required:"yes" doc:"The minute at which it ends, as 00:30."`
	Price TierPrice `conf:"price" required:"yes" doc:"What they cost."`
}

// PicturePrice is what images of a quality and a size cost.
type PicturePrice struct {
	Quality string       `conf:"quality" doc:"As requests say it; left out it is any."`
	Size    string       `conf:"size" doc:"As requests say it, such as 1024x1024; left out it is any."`
	Rate    *plenum.Rate `conf:"image_usd_per_thousand" required:"yes" scale:"1000" doc:"A thousand images."`
}

// Traits are the ways in which a host's version of a dialect differs from the plain one. What is left
// out stays as the provider and the catalog have it; what they say is refused stays refused.
type Traits struct {
	MaxTokensField string       `conf:"max_tokens_field" enum:"max_tokens max_completion_tokens" doc:"The one field for the cap on output that it knows."`
	DefaultMaxOut  int          `conf:"default_max_out" min:"0" doc:"The cap on output set where the dialect needs one and the caller gave none."`
	Refuses        []string     `conf:"refuses" doc:"Parameters that it answers with an error."`
	NoStreamUsage  bool         `conf:"no_stream_usage" doc:"It refuses stream_options; usage is then estimated."`
	LeakedCalls    bool         `conf:"leaked_calls" doc:"It leaves calls of tools in the model's text, in the words of its template; they are read out."`
	NoState        bool         `conf:"no_state" doc:"It speaks Responses and keeps no answers."`
	NoDeveloper    bool         `conf:"no_developer" doc:"It knows no developer role."`
	ReasoningField string       `conf:"reasoning_field" enum:"reasoning_content reasoning" doc:"The field in which it shows reasoning in chat completions."`
	Betas          []string     `conf:"betas" doc:"The anthropic-beta values that it accepts; left out, all pass."`
	Effort         bool         `conf:"effort" doc:"It takes how hard to think as a word, with adaptive thinking."`
	Unsigned       bool         `conf:"unsigned" doc:"It takes thinking without a signature back."`
	PlainSchema    bool         `conf:"plain_schema" doc:"It takes schemas only in Gemini's first subset, not as JSON Schema."`
	SchemaRefuses  []string     `conf:"schema_refuses" doc:"Words of JSON Schema that it refuses in the shape of an answer, such as maxItems; minItems>1 is refused where it is more than 1."`
	Capabilities   Capabilities `conf:"capabilities" doc:"What it can do, where that is known."`
}

// Capabilities are what an offer can do; left out is unknown.
type Capabilities struct {
	Tools     plenum.Tri `conf:"tools" doc:"Call tools."`
	Images    plenum.Tri `conf:"images" doc:"Read images."`
	Documents plenum.Tri `conf:"documents" doc:"Read documents."`
	Audio     plenum.Tri `conf:"audio" doc:"Read sound."`
	Schema    plenum.Tri `conf:"schema" doc:"Keep to a JSON Schema."`
	Thinking  plenum.Tri `conf:"thinking" doc:"Reason before it answers."`
	Streaming plenum.Tri `conf:"streaming" doc:"Stream its answer."`
	Logprobs  plenum.Tri `conf:"logprobs" doc:"Give the probabilities of its tokens."`
}

// Limits bound what may pass through a deployment in a minute and at once; 0 is no limit. They are a short way to write
// three of the limits.
type Limits struct {
	RequestsPerMinute int `conf:"requests_per_minute" min:"0" doc:"Calls begun within a minute: a limit of requests."`
	TokensPerMinute   int `conf:"tokens_per_minute" min:"0" doc:"Tokens read and written within a minute: a soft limit of tokens."`
	Concurrent        int `conf:"concurrent" min:"0" doc:"Calls at the same time: a limit of concurrent."`
}

// Limit is a limit in something else than money. Those that hold for one call hold together with its budgets: all must
// have room.
type Limit struct {
	Name   string        `conf:"name" required:"yes" doc:"What it is called in errors. What was counted is kept under this name."`
	Within string        `conf:"within" doc:"The limit that this one is a part of: it counts those of its calls that fit its own scope."`
	Scope  Scope         `conf:"scope" doc:"The calls that it counts; empty is every call."`
	Per    string        `conf:"per" enum:"project member key organization provider publisher model deployment" doc:"Whether each of them has the amount for itself; left out, they share it."`
	Counts string        `conf:"counts" required:"yes" enum:"requests tokens input_tokens output_tokens concurrent" doc:"What it counts: calls that are begun, tokens read and written, tokens read, tokens written, or calls at the same time."`
	Amount int           `conf:"amount" required:"yes" min:"0" max:"1000000000000000" doc:"How many for each window; of concurrent, how many at the same time."`
	Window plenum.Window `conf:"window" default:"1m" doc:"When it begins anew, as for budgets. Calls at the same time have none."`
	Zone   string        `conf:"zone" default:"UTC" doc:"Whose calendar and clock the window goes by, such as Europe/Berlin."`
	Kind   string        `conf:"kind" default:"hard" enum:"hard soft" doc:"Of tokens: hard holds the most that a call may read and write, as it goes on; soft holds what such calls read and wrote of late, and may be passed by the calls that are under way."`
}

// Budget is a limit in money. Several may hold for one call, within each other in any way: all must have room.
type Budget struct {
	Name   string        `conf:"name" required:"yes" doc:"What it is called in records and errors. What was spent is kept under this name."`
	Within string        `conf:"within" doc:"The budget that this one is a part of: it counts those of its calls that fit its own scope."`
	Scope  Scope         `conf:"scope" doc:"The calls that it counts; empty is every call."`
	Per    string        `conf:"per" enum:"project member key organization provider publisher model deployment" doc:"Whether each of them has the amount for itself; left out, they share it."`
	Amount plenum.Micros `conf:"amount_usd" required:"yes" doc:"US dollars for each window."`
	Window plenum.Window `conf:"window" default:"month" doc:"When it begins anew: minute, hour, day, week (from Monday), month, quarter, year or total; or a time such as 24h or 30d, for what was spent in so long until now."`
	Zone   string        `conf:"zone" default:"UTC" doc:"Whose calendar and clock the window goes by, such as Europe/Berlin."`
	Kind   string        `conf:"kind" default:"hard" enum:"hard soft" doc:"hard is never overspent: what a call may cost at most is held before it is made, and while it goes on. soft holds what such calls cost of late, and may be overspent by the calls that are under way."`
}

// Scope says which calls a budget counts: those that match every field that is given.
type Scope struct {
	Organization string `conf:"organization" doc:"The organization of the key's project."`
	Project      string `conf:"project" doc:"The project of the key."`
	Member       string `conf:"member" doc:"The member of the key."`
	Key          string `conf:"key" doc:"The name of the key."`
	Provider     string `conf:"provider" doc:"The kind of the connection."`
	Publisher    string `conf:"publisher" doc:"Who made the model: what stands before the / of its name in the catalog."`
	Model        string `conf:"model" doc:"The model in the catalog, as publisher/name."`
	Deployment   string `conf:"deployment" doc:"The deployment's name."`
}

// Policy says in Cedar who may use what.
type Policy struct {
	Name    string `conf:"name" required:"yes" doc:"What it is called in refusals and records."`
	Cedar   string `conf:"cedar" required:"yes" doc:"Its statements. ${file:PATH} takes them from a file."`
	Enabled bool   `conf:"enabled" default:"true" doc:"Whether it is in force. One that is not is checked all the same."`
}

// Key is a caller's key as it is declared.
type Key struct {
	Name    string        `conf:"name" required:"yes" doc:"What it is called in records."`
	Project string        `conf:"project" default:"default" doc:"The project that its calls belong to."`
	Member  string        `conf:"member" doc:"The person that it belongs to."`
	Groups  []string      `conf:"groups" doc:"The groups that it belongs to, for policies."`
	Secret  plenum.Secret `conf:"secret" required:"yes" doc:"At least 16 characters; take it from the environment or a file."`
	Expires time.Time     `conf:"expires" doc:"When it ends, as 2027-01-31 or 2027-01-31T15:04:05Z; left out is never."`
	Scope   KeyScope      `conf:"scope" doc:"What it is good for, on top of what policies let its caller do; left out is all."`
}

// KeyScope bounds what a key is good for, as it is declared.
type KeyScope struct {
	Deployments []string `conf:"deployments" json:"deployments,omitempty" doc:"The deployments that it may call, by name; * stands for any run of characters. Left out it is all."`
	Operations  []string `conf:"operations" json:"operations,omitempty" doc:"The operations that it may ask for, as policies call them: generate, count_tokens, embed, batch.create and so on. Left out it is all."`
	Networks    []string `conf:"networks" json:"networks,omitempty" doc:"The networks that calls may come from, as 10.0.0.0/8 or 2001:db8::/32. Left out it is everywhere."`
	ReadOnly    bool     `conf:"read_only" default:"false" json:"read_only,omitempty" doc:"Of a key of the management API: whether it may only look."`
	SCIM        bool     `conf:"scim" default:"false" json:"scim,omitempty" doc:"Of a key of the management API: whether it is for a directory, which keeps members at /scim/v2, and for nothing else."`
}

// Size is a number of bytes.
type Size int64

// New returns the configuration of an empty file: every default.
func New() *File {
	f := &File{}
	setDefaults(valueOf(f))
	f.source = source{name: "(built in)"}
	return f
}
