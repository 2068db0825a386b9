"""How do the ledger's tables come to be in PostgreSQL, version by version? They mean what those of `tables` mean.

Invariant: a migration that was released is never changed; what comes later is one more.
"""

MIGRATIONS = (
    """
    CREATE TABLE head (one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one), last_seq BIGINT NOT NULL);
    INSERT INTO head (last_seq) VALUES (0);
    CREATE TABLE processes (id TEXT PRIMARY KEY, name TEXT NOT NULL, seen TIMESTAMPTZ NOT NULL);
    CREATE TABLE intents (
        id TEXT COLLATE "C" PRIMARY KEY, process TEXT NOT NULL REFERENCES processes, ts DOUBLE PRECISION NOT NULL,
        key_id TEXT, session TEXT, label TEXT NOT NULL, held_picousd BIGINT, record BYTEA NOT NULL
    );
    CREATE INDEX intents_process ON intents (process, id);
    CREATE INDEX intents_session ON intents (session, key_id) WHERE session IS NOT NULL;
    CREATE TABLE records (
        seq BIGINT PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE, ts DOUBLE PRECISION NOT NULL, workflow TEXT,
        key_id TEXT, session TEXT, label TEXT NOT NULL, tier TEXT, outcome TEXT NOT NULL, cost_picousd BIGINT,
        record BYTEA NOT NULL, team TEXT
    );
    CREATE INDEX records_ts ON records (ts, seq);
    CREATE INDEX records_cost ON records (ts) INCLUDE (workflow, key_id, team, cost_picousd) WHERE cost_picousd > 0;
    CREATE INDEX records_session ON records (session, key_id) INCLUDE (label) WHERE session IS NOT NULL;
    CREATE TABLE accounts (
        name TEXT PRIMARY KEY, scope TEXT NOT NULL, window_s BIGINT NOT NULL, start DOUBLE PRECISION NOT NULL,
        spent NUMERIC NOT NULL, reserved NUMERIC NOT NULL
    );
    CREATE TABLE holds (
        id TEXT COLLATE "C" NOT NULL, account TEXT NOT NULL REFERENCES accounts, usd NUMERIC NOT NULL,
        PRIMARY KEY (id, account)
    );
    CREATE TABLE pruned (last_seq BIGINT NOT NULL, before_ts DOUBLE PRECISION NOT NULL, records BIGINT NOT NULL);
    """,
    # Keys (`postgres_keys`), and a mark of the secret that they are hashed with.
    """
    CREATE TABLE keys (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL, prefix TEXT NOT NULL,
        hash BYTEA NOT NULL UNIQUE, created DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION,
        revoked DOUBLE PRECISION, permissions BYTEA NOT NULL, ended BOOLEAN NOT NULL
    );
    CREATE INDEX keys_name ON keys (name);
    CREATE TABLE key_changes (
        seq BIGINT PRIMARY KEY, ts DOUBLE PRECISION NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        name TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE TABLE key_mark (one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one), mark BYTEA NOT NULL);
    """,
    # Policies (`postgres_releases`).
    """
    CREATE TABLE releases (
        number BIGINT PRIMARY KEY, digest TEXT, policy BYTEA, who TEXT NOT NULL, why TEXT NOT NULL,
        ts DOUBLE PRECISION NOT NULL, replaces BIGINT UNIQUE
    );
    """,
    # Content of calls, which goes with the record, and the trace of what was erased (`postgres_contents`).
    """
    CREATE TABLE contents (
        id TEXT COLLATE "C" PRIMARY KEY REFERENCES records (id) ON DELETE CASCADE, ts DOUBLE PRECISION NOT NULL,
        salt BYTEA NOT NULL, level TEXT NOT NULL, request BYTEA, answer BYTEA
    );
    CREATE INDEX contents_ts ON contents (ts);
    CREATE TABLE erasures (
        seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ts DOUBLE PRECISION NOT NULL, who TEXT NOT NULL,
        why TEXT NOT NULL, what TEXT NOT NULL, calls BIGINT NOT NULL
    );
    CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'kept for the audit'; END $$;
    CREATE TRIGGER erasures_stay BEFORE UPDATE OR DELETE ON erasures FOR EACH ROW EXECUTE FUNCTION stays();
    """,
    # What proves that no record was changed (`postgres_audit`): a leaf for each, and signed notes.
    """
    CREATE TABLE leaves (seq BIGINT PRIMARY KEY, hash BYTEA NOT NULL);
    CREATE TABLE checkpoints (
        size BIGINT PRIMARY KEY, ts DOUBLE PRECISION NOT NULL, note TEXT NOT NULL, frontier BYTEA NOT NULL
    );
    CREATE TABLE removals (one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one), note TEXT NOT NULL);
    """,
    # Incidents (`postgres_incidents`).
    """
    CREATE TABLE incidents (
        id TEXT COLLATE "C" PRIMARY KEY, name BYTEA NOT NULL, opened DOUBLE PRECISION NOT NULL,
        closed DOUBLE PRECISION, owed BIGINT NOT NULL, incident BYTEA NOT NULL, claimant TEXT NOT NULL DEFAULT '',
        claimed_until DOUBLE PRECISION NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX incidents_open ON incidents (name) WHERE closed IS NULL;
    CREATE INDEX incidents_name ON incidents (name, closed);
    CREATE INDEX incidents_unsettled ON incidents (id) WHERE closed IS NULL OR owed > 0;
    CREATE TABLE incident_events (
        seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident TEXT COLLATE "C" NOT NULL,
        ts DOUBLE PRECISION NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, detail TEXT NOT NULL,
        about BIGINT NOT NULL
    );
    CREATE INDEX incident_events_of ON incident_events (incident, seq);
    CREATE TRIGGER incident_events_stay BEFORE UPDATE OR DELETE ON incident_events
        FOR EACH ROW EXECUTE FUNCTION stays();
    """,
    # What was said of answers (`postgres_remarks`): it goes with its record; of itself only a note can go.
    """
    CREATE TABLE remarks (
        seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        decision TEXT COLLATE "C" NOT NULL REFERENCES records (id) ON DELETE CASCADE, ts DOUBLE PRECISION NOT NULL,
        what TEXT NOT NULL, who TEXT NOT NULL, score DOUBLE PRECISION NOT NULL, seconds DOUBLE PRECISION,
        note TEXT NOT NULL
    );
    CREATE INDEX remarks_of ON remarks (decision, seq);
    CREATE FUNCTION remark_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN
            IF NOT EXISTS (SELECT 1 FROM records WHERE id = OLD.decision) THEN RETURN OLD; END IF;
        ELSIF NEW.note = '' AND (NEW.seq, NEW.decision, NEW.ts, NEW.what, NEW.who, NEW.score, NEW.seconds)
            IS NOT DISTINCT FROM (OLD.seq, OLD.decision, OLD.ts, OLD.what, OLD.who, OLD.score, OLD.seconds) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'kept with its record';
    END $$;
    CREATE TRIGGER remarks_stay BEFORE UPDATE OR DELETE ON remarks FOR EACH ROW EXECUTE FUNCTION remark_stays();
    """,
    # Workflows are released as the policy is: each subject counts its own releases.
    """
    ALTER TABLE releases RENAME COLUMN policy TO body;
    ALTER TABLE releases ADD COLUMN subject TEXT NOT NULL DEFAULT 'policy';
    ALTER TABLE releases ALTER COLUMN subject DROP DEFAULT;
    ALTER TABLE releases DROP CONSTRAINT releases_pkey;
    ALTER TABLE releases DROP CONSTRAINT releases_replaces_key;
    ALTER TABLE releases ADD PRIMARY KEY (subject, number);
    ALTER TABLE releases ADD UNIQUE (subject, replaces);
    """,
)
