-- The tables of evrun's store. They are in a schema of their own; the users' own tables are in others. Times are microseconds since the Unix epoch, in UTC.
-- Keys are in the order of their bytes: an index in the order of a language breaks when a new system sorts otherwise.

CREATE TABLE evrun.meta (
  key   text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

-- The journal's head, in one row. Who accepts events raises it and inserts them with the commit in one message: so commits are in the order of the
-- sequences, and nobody holds the row for longer than a commit takes.
CREATE TABLE evrun.journal (head bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO evrun.journal VALUES (0);

-- NULL stands for what most events have: a JSON payload, and a chain that they began themselves.
CREATE TABLE evrun.events (
  sequence        bigint PRIMARY KEY,
  id              text COLLATE "C" NOT NULL,
  source          text COLLATE "C" NOT NULL,
  type            text COLLATE "C" NOT NULL,
  time            bigint NOT NULL,
  accepted_at     bigint NOT NULL,
  subject         text,
  datacontenttype text,
  dataschema      text,
  data            text,                 -- when it is JSON
  bytes           bytea,                -- when it isn't
  correlationid   text,
  causationid     text,
  hops            integer NOT NULL DEFAULT 0,
  extensions      text,                 -- a JSON object
  chain           bigint,
  cause           bigint
);
CREATE UNIQUE INDEX events_id_source ON evrun.events (id, source);
CREATE INDEX events_type ON evrun.events (type, sequence);
CREATE INDEX events_chain ON evrun.events (chain, sequence) WHERE chain IS NOT NULL;

CREATE TABLE evrun.handlers (
  id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text COLLATE "C" NOT NULL UNIQUE,
  active       boolean NOT NULL,        -- a daemon's wiring has it
  patterns     text,                    -- a JSON list; NULL: unknown
  since        bigint NOT NULL,         -- the journal's head when it was first registered
  left_at      bigint,                  -- when it left; NULL while it is active, and once it is forgotten
  left_head    bigint NOT NULL DEFAULT 0,
  paused       boolean NOT NULL DEFAULT false,
  heir         integer,                 -- the handler that takes over, while it has not done so
  predecessors text,                    -- JSON
  paused_by    text,
  paused_why   text,
  paused_at    bigint,
  disabled_at  bigint,
  division     text                     -- how its events are divided among slots; NULL: nobody has held any yet
);

-- The daemons that share the store. A node is one start of a daemon: it never comes back.
CREATE TABLE evrun.nodes (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text NOT NULL,
  version    text NOT NULL,
  labels     text[] NOT NULL,
  wiring     text NOT NULL,
  started_at bigint NOT NULL
);

-- How long a node's leases hold, by the database's clock. Apart from nodes, because it is written twice a second.
CREATE TABLE evrun.beats (
  node       bigint PRIMARY KEY REFERENCES evrun.nodes ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 10);

-- A row for each connection on which a process writes: each of its transactions counts here. Without the row a node has lost its leases: the update
-- finds nothing, and the transaction is fenced off. After a connection broke in a COMMIT, the number says whether it was committed. A process that holds no
-- leases has a random negative number instead of a node's.
CREATE TABLE evrun.writers (
  node        bigint NOT NULL,
  connection  integer NOT NULL,
  transaction bigint NOT NULL,
  since       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (node, connection)
) WITH (fillfactor = 10);

-- Which nodes are to have slots of which handlers (and leads), and how they divide its events: see handlers.division.
CREATE TABLE evrun.wants (
  node     bigint NOT NULL REFERENCES evrun.nodes ON DELETE CASCADE,
  handler  integer NOT NULL,
  division text NOT NULL,
  PRIMARY KEY (node, handler)
);

-- What other processes must know of changes that people made. Rows are kept for some minutes.
CREATE TABLE evrun.changes (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin bigint NOT NULL,                -- the process that made it
  at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  body   text NOT NULL                   -- JSON
);

-- Which nodes have which handlers in their wiring.
CREATE TABLE evrun.wired (
  node    bigint NOT NULL REFERENCES evrun.nodes ON DELETE CASCADE,
  handler integer NOT NULL,
  PRIMARY KEY (node, handler)
);

-- A share is a set of a handler's 64 slots (bit i: slot i) with one holder and one low-water mark. Each slot is in one share of its handler. Negative
-- handlers are the leads: see store.LeadSchedules.
CREATE TABLE evrun.shares (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  handler   integer NOT NULL,
  slots     bigint NOT NULL,
  node      bigint,                     -- NULL: free
  low_water bigint NOT NULL             -- every event of the slots up to here has been dealt with
) WITH (fillfactor = 50);
CREATE INDEX shares_handler ON evrun.shares (handler);
INSERT INTO evrun.shares (handler, slots, low_water) VALUES (-1, -1, 0), (-2, -1, 0);

-- One row for each handler and matching event. States: 1 running, 2 retrying, 3 succeeded, 4 skipped, 5 dead, 6 dropped, 7 cancelled.
CREATE TABLE evrun.runs (
  sequence        bigint NOT NULL,
  handler         integer NOT NULL,
  state           smallint NOT NULL,
  attempt         integer NOT NULL,
  budget          integer NOT NULL DEFAULT 0,
  started_at      bigint NOT NULL,
  finished_at     bigint,
  next_attempt_at bigint,
  error           text,
  reason          text,
  joined          bigint,
  began_as        integer,
  condition       integer,
  PRIMARY KEY (sequence, handler)
);
-- Small while all goes well.
CREATE INDEX runs_pending ON evrun.runs (handler, next_attempt_at NULLS FIRST, sequence) WHERE state <= 2;
CREATE INDEX runs_listed ON evrun.runs (handler, state, sequence) WHERE state = 2 OR state > 4;
CREATE INDEX runs_joined ON evrun.runs (handler, joined, sequence) WHERE joined IS NOT NULL;

-- The texts of conditions (when): a skipped run names the one that was false.
CREATE TABLE evrun.conditions (
  id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  text text COLLATE "C" NOT NULL UNIQUE
);

-- Failed attempts only; a run that succeeds at once has none.
CREATE TABLE evrun.attempts (
  sequence    bigint NOT NULL,
  handler     integer NOT NULL,
  attempt     integer NOT NULL,
  started_at  bigint NOT NULL,
  finished_at bigint NOT NULL,
  error       text NOT NULL,
  PRIMARY KEY (sequence, handler, attempt)
);

-- What attempts printed, or servers answered: see the column layout in package schema.
CREATE TABLE evrun.run_outputs (
  sequence    bigint NOT NULL,
  handler     integer NOT NULL,
  attempt     integer NOT NULL,
  state       smallint NOT NULL,
  started_at  bigint NOT NULL,
  finished_at bigint,
  layout      text NOT NULL,
  text        bytea NOT NULL,           -- a text, which may have zero bytes
  PRIMARY KEY (sequence, handler, attempt)
);

CREATE TABLE evrun.users (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name       text NOT NULL,
  email      text NOT NULL,
  attributes text,                      -- a JSON object
  created_at bigint NOT NULL,
  event_id   text NOT NULL
);
-- Whatever the case of its ASCII letters.
CREATE UNIQUE INDEX users_email ON evrun.users (lower(email COLLATE "C"));

CREATE TABLE evrun.schedules (
  name   text COLLATE "C" PRIMARY KEY,
  since  bigint NOT NULL,
  slot   bigint NOT NULL,
  fired  bigint,
  timing text NOT NULL DEFAULT '',
  paused boolean NOT NULL DEFAULT false
);

CREATE TABLE evrun.batches (
  id         text COLLATE "C" PRIMARY KEY,
  action     text NOT NULL,
  details    text NOT NULL,
  actor      text NOT NULL,
  total      integer NOT NULL,
  cursor     text NOT NULL,
  done       integer NOT NULL DEFAULT 0,
  changed    integer NOT NULL DEFAULT 0,
  started_at bigint NOT NULL,
  changed_at bigint,
  ended_at   bigint
);

CREATE TABLE evrun.tokens (
  name       text COLLATE "C" PRIMARY KEY,
  hash       bytea NOT NULL UNIQUE,     -- SHA-256
  rights     text NOT NULL,             -- one a line
  rate       text NOT NULL,
  actor      text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint                     -- NULL: never
);

-- The statements that made the users' own tables, so that each runs once.
CREATE TABLE evrun.user_migrations (
  statement  text COLLATE "C" PRIMARY KEY,
  handler    text NOT NULL,
  applied_at bigint NOT NULL
);

-- What was pruned so far, in one row.
CREATE TABLE evrun.pruning (
  id           integer PRIMARY KEY CHECK (id = 1),
  old          boolean NOT NULL DEFAULT false,
  announced_at bigint,
  scanned      bigint NOT NULL DEFAULT 0,
  peak         bigint NOT NULL DEFAULT 0, -- how many events were stored at most when some were deleted
  chains       bigint NOT NULL DEFAULT 0,
  events       bigint NOT NULL DEFAULT 0,
  runs         bigint NOT NULL DEFAULT 0,
  bytes        bigint NOT NULL DEFAULT 0,
  keys         bigint NOT NULL DEFAULT 0,
  pruned_at    bigint
);
INSERT INTO evrun.pruning (id) VALUES (1);

CREATE TABLE evrun.pruning_lost (
  handler integer PRIMARY KEY,
  events  bigint NOT NULL,
  runs    bigint NOT NULL
);

-- The (source, id) of pruned events, which are still known as accepted: a hash of both, behind the first bytes of the id.
CREATE TABLE evrun.pruned_keys (
  key       bytea PRIMARY KEY,
  sequence  bigint NOT NULL,
  pruned_at bigint NOT NULL             -- in seconds
);
