package web

// pages are all pages.
var pages = []page{
	overviewPage,
	handlersPage,
	handlerPage,
	signInPage,
	settingsPage,
	eventsPage,
	livePage,
	auditPage,
	eventPage,
	emitPage,
	schedulesPage,
	schedulePage,
	runsPage,
	runPage,
	batchesPage,
	usersPage,
	userPage,
	wiringPage,
	filesPage,
	whatIfPage,
	hookPage,
}

// entry is an entry of the navigation.
type entry struct {
	Nav, Path, Title string
	Key              string // g and this key go there
	Icon             string
}

// navigation is in the order of what operators ask: what is going on, what went wrong, what happens next, what is it made of.
var navigation = []entry{
	{"overview", "/", "Overview", "o", "home"},
	{"live", "/live", "Live", "l", "pulse"},
	{"events", "/events", "Events", "e", "list"},
	{"runs", "/runs", "Runs", "r", "play"},
	{"handlers", "/handlers", "Handlers", "h", "handler"},
	{"schedules", "/schedules", "Schedules", "s", "clock"},
	{"wiring", "/wiring", "Wiring", "w", "graph"},
	{"users", "/users", "Users", "u", "person"},
	{"emit", "/emit", "Emit", "m", "send"},
	{"audit", "/audit", "Audit", "a", "shield"},
	{"settings", "/settings", "Settings", "t", "gear"},
}
