/** Marks a database file as a sweep's results (`PRAGMA application_id`): the letters "fbit". */
export const applicationId = 0x66_62_69_74;

/** Changes that lead from each version of the layout to the next, from nothing on. */
export const migrations: readonly string[] = [
  `
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  recipe TEXT NOT NULL,
  changed_at TEXT NOT NULL
);
CREATE TABLE points (
  id TEXT PRIMARY KEY,
  position INTEGER,
  model TEXT NOT NULL,
  label TEXT NOT NULL,
  method TEXT,
  preset TEXT,
  scheme TEXT,
  bits REAL NOT NULL,
  seed INTEGER NOT NULL,
  work TEXT NOT NULL,
  command TEXT,
  status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  owner TEXT,
  token TEXT,
  lease_until INTEGER,
  error_code TEXT,
  error_message TEXT,
  error_hint TEXT,
  fewbit TEXT,
  machine TEXT,
  started_at TEXT,
  finished_at TEXT,
  parameters INTEGER,
  size_bytes INTEGER,
  linear_bytes INTEGER,
  bits_per_weight REAL,
  file_bits_per_weight REAL,
  tokens_per_second REAL,
  make_ms REAL,
  peak_memory_bytes INTEGER,
  evaluation_ms REAL,
  backend TEXT,
  backend_level TEXT,
  threads INTEGER,
  run TEXT
);
CREATE INDEX points_by_status ON points (status, position);
CREATE TABLE texts (
  point TEXT NOT NULL REFERENCES points (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  protocol TEXT NOT NULL,
  window INTEGER NOT NULL,
  windows INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  tokens_sha256 TEXT NOT NULL,
  perplexity REAL NOT NULL,
  low REAL,
  high REAL,
  level REAL,
  kl_mean REAL,
  kl_low REAL,
  kl_high REAL,
  kl_percentile99 REAL,
  kl_percentile99_low REAL,
  kl_percentile99_high REAL,
  kl_maximum REAL,
  top_token_agreement REAL,
  PRIMARY KEY (point, position)
) WITHOUT ROWID;
CREATE TABLE windows (
  point TEXT NOT NULL REFERENCES points (id),
  text INTEGER NOT NULL,
  window INTEGER NOT NULL,
  loss REAL NOT NULL,
  kl REAL,
  PRIMARY KEY (point, text, window)
) WITHOUT ROWID;
CREATE TABLE tasks (
  point TEXT NOT NULL REFERENCES points (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  shots INTEGER NOT NULL,
  items INTEGER NOT NULL,
  accuracy REAL NOT NULL,
  accuracy_error REAL NOT NULL,
  normalized_accuracy REAL,
  normalized_error REAL,
  chance REAL NOT NULL,
  above_chance REAL NOT NULL,
  right TEXT NOT NULL,
  right_normalized TEXT,
  PRIMARY KEY (point, position)
) WITHOUT ROWID;
CREATE TABLE averages (
  point TEXT NOT NULL REFERENCES points (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  tasks TEXT NOT NULL,
  accuracy REAL NOT NULL,
  accuracy_error REAL NOT NULL,
  above_chance REAL NOT NULL,
  PRIMARY KEY (point, position)
) WITHOUT ROWID;
CREATE TABLE data (
  point TEXT NOT NULL REFERENCES points (id),
  role TEXT NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL
);
CREATE INDEX data_by_point ON data (point);
CREATE VIEW results AS
SELECT
  points.model, points.label, points.method, points.scheme, points.bits, points.seed,
  points.status, points.bits_per_weight, points.size_bytes,
  texts.perplexity, (texts.high - texts.low) / 2 AS perplexity_half_width,
  texts.kl_mean AS kl,
  (SELECT avg(accuracy) FROM tasks WHERE tasks.point = points.id) AS task_accuracy,
  (SELECT avg(above_chance) FROM tasks WHERE tasks.point = points.id) AS above_chance,
  points.tokens_per_second, points.make_ms / 1000 AS make_seconds, points.peak_memory_bytes,
  points.error_message AS error, points.command, points.id
FROM points LEFT JOIN texts ON texts.point = points.id AND texts.position = 0
WHERE points.position IS NOT NULL
ORDER BY points.position;
`,
  `
CREATE VIEW task_results AS
SELECT
  points.model, points.label, points.scheme, points.bits, points.seed, tasks.name AS task,
  tasks.accuracy, tasks.accuracy_error, tasks.normalized_accuracy, tasks.above_chance, tasks.items,
  tasks.shots, points.id
FROM tasks JOIN points ON points.id = tasks.point
WHERE points.position IS NOT NULL
ORDER BY points.position, tasks.position;
`,
];

/** Version of the layout that this program reads and writes (`PRAGMA user_version`). */
export const schemaVersion: number = migrations.length;
