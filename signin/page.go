package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
)

// view is what a page shows.
type view struct {
	Title, Text string
	Buttons     []button // links
	Code        string   // of a command line that may be allowed
	AskCode     bool
	SignOut     bool
	Again       bool
}

type button struct{ Title, Address string }

const style = `body{font:16px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText;color-scheme:light dark}
main{box-sizing:border-box;width:min(26rem,100%);padding:1.5rem;overflow-wrap:anywhere}h1{font-size:1.4rem;margin:0 0 .75rem}p{margin:0 0 1.25rem}
a.b,button{display:block;box-sizing:border-box;width:100%;padding:.7rem 1rem;margin:0 0 .75rem;border:1px solid GrayText;border-radius:.5rem;background:ButtonFace;color:ButtonText;font:inherit;text-align:center;text-decoration:none;cursor:pointer}
a.b:hover,button:hover{border-color:CanvasText}a.b:focus-visible,button:focus-visible,input:focus-visible{outline:3px solid Highlight;outline-offset:2px}
.code{font:600 1.6rem ui-monospace,monospace;letter-spacing:.1em;text-align:center}label{display:block;margin:0 0 .25rem}
input{box-sizing:border-box;width:100%;padding:.6rem;margin:0 0 .75rem;border:1px solid GrayText;border-radius:.5rem;background:Field;color:FieldText;font:1.2rem ui-monospace,monospace;text-transform:uppercase}`

const text = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.Title}} · Plenum</title><style>{{.Style}}</style></head>
<body><main><h1>{{.Title}}</h1>{{with .Text}}<p>{{.}}</p>{{end}}
{{range .Buttons}}<a class="b" href="{{.Address}}">{{.Title}}</a>{{end}}
{{with .Code}}<p class="code">{{.}}</p><form method="post" action="/sign-in/device"><input type="hidden" name="user_code" value="{{.}}"><button>Allow</button></form>{{end}}
{{if .AskCode}}<form method="get" action="/sign-in/device"><label for="c">Code</label><input id="c" name="user_code" autocomplete="off" spellcheck="false" autofocus><button>Go on</button></form>{{end}}
{{if .SignOut}}<form method="post" action="/sign-out"><button>Sign out</button></form>{{end}}
{{if .Again}}<a class="b" href="/sign-in">Sign in</a>{{end}}
</main></body></html>
`

// secure says what a page may do: nothing but be shown.
func secure(h http.Header) {
	sum := sha256.Sum256([]byte(style))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// show writes a page.
func show(w http.ResponseWriter, status int, v view) {
	secure(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page := template.Must(template.New("page").Parse(text))
	_ = page.Execute(w, struct {
		view
		Style template.CSS
	}{v, style})
}

// say writes JSON.
func say(w http.ResponseWriter, status int, body any) {
	secure(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
