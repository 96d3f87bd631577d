package config

// policies checks the names of policies and has them compiled.
func (c *compiler) policies() {
	list := c.file.Policies
	named := map[string]int{}
	for i := range list {
		name := list[i].Name
		switch first, twice := named[name]; {
		case twice:
			c.fail(at("policies", i, "name"), "%q is the name of policies[%d] as well", clip(name), first)
		case name == "" || len(name) > 100:
			c.fail(at("policies", i, "name"), "must have from 1 to 100 characters")
		default:
			named[name] = i
		}
	}
	if c.opt.Policies == nil {
		return
	}
	handle, faults := c.opt.Policies(list)
	for _, f := range faults {
		c.fail(at("policies", f.Policy, "cedar"), "%s", f.Message)
	}
	c.snap.Policies = handle
}
