package plenum

// Role is what somebody may do with the management API.
type Role string

// The roles.
const (
	RoleOwner     Role = "owner"     // everything but reading transcripts, and says who else does
	RoleAdmin     Role = "admin"     // the same, but for making owners and readers
	RoleDeveloper Role = "developer" // makes keys, and sees what they are used for
	RoleAuditor   Role = "auditor"   // sees everything but transcripts, and changes nothing
	RolePublisher Role = "publisher" // publishes models, and sees what they are used for
	RoleBilling   Role = "billing"   // sees what is spent, and sets budgets
	RoleReader    Role = "reader"    // reads what was asked and answered, where it is kept; nobody else does
)

// Grant is a role and where it holds: everywhere, in one organization and its projects, in one project, or for one publisher.
type Grant struct {
	Role         Role
	Organization string
	Project      string
	Publisher    string
}

// Member is a person, or a program that acts as one.
type Member struct {
	Name         string // as their identity provider calls them, mostly an address of mail
	Title        string
	Organization string // that they belong to; "" is none
	Grants       []Grant
	Provider     string // the identity provider that alone may sign them in; "" is any
	Disabled     bool
	Service      bool // a program: nobody signs in as it
	// Directory says that a directory keeps them: what they are is what it says.
	Directory bool
	Declared  string   // the file that declares it; "" where it is kept in the store
	Groups    []string // what policies may go by
}

// Organization is what projects and people belong to.
type Organization struct {
	Name     string
	Title    string
	Declared string
}

// Project is what keys, calls and money belong to.
type Project struct {
	Name         string
	Title        string
	Organization string // that it belongs to; "" is none
	Declared     string
}
