BEGIN TRANSACTION;
CREATE TABLE attempts (
	attempt_id INTEGER NOT NULL, 
	correction_key VARCHAR(200) NOT NULL, 
	attempt INTEGER NOT NULL, 
	phase VARCHAR(20) NOT NULL, 
	result VARCHAR(20) NOT NULL, 
	code VARCHAR(80) NOT NULL, 
	message TEXT NOT NULL, 
	response TEXT NOT NULL, 
	idempotency_key VARCHAR(80) NOT NULL, 
	payload_hash VARCHAR(64) NOT NULL, 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME NOT NULL, 
	PRIMARY KEY (attempt_id)
);
INSERT INTO "attempts" VALUES(1,'d17882d7dc1d223237325c51d9e84b107bd113eee2ea6b8618bd94487ac1ecd1-1',1,'send','refused','http_422','credit limit','','tly-31ed6e9de62a23affa7f1476f324a3a7ca6a0411','93f3ca65be2aab4d89379e60bc98f793ef944eb386fe1fcf88a2bffb0643a605','2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000');
INSERT INTO "attempts" VALUES(2,'78845c6c80f074d8c64d49cc036d372e0dee3da9dae45f606b1e0222358bad68-1',1,'send','ok','http_200','','','tly-c33c31f652775ed0c9ec11ddf717d026eba317c4','d94c8eafef3226118ecd66fda4fedecedebe8df1abf7bdd18bd1e38b05ce48f5','2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000');
CREATE TABLE breakers (
	system VARCHAR(60) NOT NULL, 
	failures INTEGER NOT NULL, 
	open_until DATETIME, 
	PRIMARY KEY (system)
);
CREATE TABLE corrections (
	sequence INTEGER NOT NULL, 
	correction_key VARCHAR(200) NOT NULL, 
	proposal_key VARCHAR(180) NOT NULL, 
	generation INTEGER NOT NULL, 
	idempotency_key VARCHAR(80) NOT NULL, 
	rule_id VARCHAR(40) NOT NULL, 
	obligation_ids TEXT NOT NULL, 
	object_type VARCHAR(60), 
	object_id VARCHAR(200) NOT NULL, 
	order_id VARCHAR(200), 
	order_line_id VARCHAR(200), 
	target_system VARCHAR(60) NOT NULL, 
	target_role VARCHAR(40), 
	kind VARCHAR(60) NOT NULL, 
	old_value TEXT, 
	new_value TEXT, 
	payload TEXT NOT NULL, 
	preconditions TEXT NOT NULL, 
	payload_hash VARCHAR(64) NOT NULL, 
	relied_on_systems TEXT NOT NULL, 
	value_at_risk VARCHAR(40), 
	currency VARCHAR(3), 
	first_sighting_at DATETIME, 
	frontier_at DATETIME, 
	needs_approval BOOLEAN NOT NULL, 
	"conflict" BOOLEAN NOT NULL, 
	hold_codes TEXT NOT NULL, 
	approved_hash VARCHAR(64), 
	approved_until DATETIME, 
	state VARCHAR(20) NOT NULL, 
	state_reason TEXT NOT NULL, 
	lease_token VARCHAR(40), 
	lease_until DATETIME, 
	next_attempt_at DATETIME, 
	attempts INTEGER NOT NULL, 
	possibly_sent BOOLEAN NOT NULL, 
	dry_run_at DATETIME, 
	target_record_id VARCHAR(200), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	accepted_at DATETIME, 
	verified_at DATETIME, 
	withdrawn_at DATETIME, 
	PRIMARY KEY (sequence), 
	CONSTRAINT uq_corrections_generation UNIQUE (proposal_key, generation), 
	UNIQUE (correction_key), 
	UNIQUE (idempotency_key)
);
INSERT INTO "corrections" VALUES(1,'d17882d7dc1d223237325c51d9e84b107bd113eee2ea6b8618bd94487ac1ecd1-1','d17882d7dc1d223237325c51d9e84b107bd113eee2ea6b8618bd94487ac1ecd1',1,'tly-31ed6e9de62a23affa7f1476f324a3a7ca6a0411','O04','["O04:SO-100001/1"]','order_line','SO-100001/1','SO-100001','SO-100001/1','erp','erp','update_quantity','{"quantity":5}','{"quantity":7}','{"line_record":"10","old_quantity":5,"order_record":"E500001","quantity":7}','[{"check":"equals","entity":"sales_order_lines","field":"ord_qty","key":{"doc_no":"E500001","pos":"10"},"system":"erp","value":5}]','93f3ca65be2aab4d89379e60bc98f793ef944eb386fe1fcf88a2bffb0643a605','["erp"]','62.50','USD','2026-11-21 08:00:00.000000','2026-11-21 08:00:00.000000',0,0,'[]',NULL,NULL,'refused','http_422: credit limit',NULL,NULL,NULL,1,0,NULL,NULL,'2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000',NULL,NULL,NULL);
INSERT INTO "corrections" VALUES(2,'78845c6c80f074d8c64d49cc036d372e0dee3da9dae45f606b1e0222358bad68-1','78845c6c80f074d8c64d49cc036d372e0dee3da9dae45f606b1e0222358bad68',1,'tly-c33c31f652775ed0c9ec11ddf717d026eba317c4','O04','["O04:SO-100002/1"]','order_line','SO-100002/1','SO-100002','SO-100002/1','erp','erp','update_quantity','{"quantity":5}','{"quantity":7}','{"line_record":"10","old_quantity":5,"order_record":"E500002","quantity":7}','[{"check":"equals","entity":"sales_order_lines","field":"ord_qty","key":{"doc_no":"E500002","pos":"10"},"system":"erp","value":5}]','d94c8eafef3226118ecd66fda4fedecedebe8df1abf7bdd18bd1e38b05ce48f5','["erp"]','62.50','USD','2026-11-21 08:00:00.000000','2026-11-21 08:00:00.000000',0,0,'[]',NULL,NULL,'verified','seen in record erp/E500001/10/abc; every exception is closed',NULL,NULL,NULL,1,0,NULL,'E500002/10','2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000',NULL);
INSERT INTO "corrections" VALUES(3,'2859d2fd13d1658e60096826e2d16bc6ed9644a773ab3b2e2c4e9f0643f0fd72-1','2859d2fd13d1658e60096826e2d16bc6ed9644a773ab3b2e2c4e9f0643f0fd72',1,'tly-8ec37ca70ef3dd3234580f49c910a61352522bdb','O04','["O04:SO-100003/1"]','order_line','SO-100003/1','SO-100003','SO-100003/1','erp','erp','update_quantity','{"quantity":5}','{"quantity":7}','{"line_record":"10","old_quantity":5,"order_record":"E500003","quantity":7}','[{"check":"equals","entity":"sales_order_lines","field":"ord_qty","key":{"doc_no":"E500003","pos":"10"},"system":"erp","value":5}]','49e3d835c7eaaa8fd3042dca9c3ed27b30a02f2d36de43e0a5002f04274553de','["erp"]','62.50','USD','2026-11-21 08:00:00.000000','2026-11-21 08:00:00.000000',1,0,'["approval"]',NULL,NULL,'awaiting_approval','the rule wants approval',NULL,NULL,'2026-11-21 09:00:00.000000',0,0,NULL,NULL,'2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000',NULL,NULL,NULL);
INSERT INTO "corrections" VALUES(4,'45ea87072c718589d4b49ac8bee4374dd72873fa2596c4ac3c667fe231119ad6-1','45ea87072c718589d4b49ac8bee4374dd72873fa2596c4ac3c667fe231119ad6',1,'tly-b4ad66bc2c5469414e80ee726d3f18af8635346e','O04','["O04:SO-100004/1"]','order_line','SO-100004/1','SO-100004','SO-100004/1','erp','erp','update_quantity','{"quantity":5}','{"quantity":7}','{"line_record":"10","old_quantity":5,"order_record":"E500004","quantity":7}','[{"check":"equals","entity":"sales_order_lines","field":"ord_qty","key":{"doc_no":"E500004","pos":"10"},"system":"erp","value":5}]','76795c3bd7e5563788f7cabde232eadfb82ad3eae32768f067bfae495404eb86','["erp"]','62.50','USD','2026-11-21 08:00:00.000000','2026-11-21 08:00:00.000000',1,0,'["approval"]',NULL,NULL,'rejected','rejected by maria: wrong customer',NULL,NULL,'2026-11-21 09:00:00.000000',0,0,NULL,NULL,'2026-11-21 09:00:00.000000','2026-11-21 09:00:00.000000',NULL,NULL,NULL);
CREATE TABLE decisions (
	sequence INTEGER NOT NULL, 
	decision_id VARCHAR(240) NOT NULL, 
	correction_key VARCHAR(200) NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	decision VARCHAR(40) NOT NULL, 
	comment TEXT NOT NULL, 
	payload_hash VARCHAR(64), 
	decided_at DATETIME NOT NULL, 
	PRIMARY KEY (sequence), 
	UNIQUE (decision_id)
);
INSERT INTO "decisions" VALUES(1,'45ea87072c718589d4b49ac8bee4374dd72873fa2596c4ac3c667fe231119ad6-1-d1','45ea87072c718589d4b49ac8bee4374dd72873fa2596c4ac3c667fe231119ad6-1','maria','rejected','wrong customer','76795c3bd7e5563788f7cabde232eadfb82ad3eae32768f067bfae495404eb86','2026-11-21 09:00:00.000000');
CREATE TABLE gates (
	gate_id INTEGER NOT NULL, 
	build VARCHAR(120) NOT NULL, 
	system VARCHAR(60) NOT NULL, 
	outcome VARCHAR(20) NOT NULL, 
	reason TEXT NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	PRIMARY KEY (gate_id)
);
INSERT INTO "gates" VALUES(1,'build-1','erp','passed','','2026-11-21 09:00:00.000000');
CREATE TABLE kill_switch (
	sequence INTEGER NOT NULL, 
	engaged BOOLEAN NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	reason TEXT NOT NULL, 
	changed_at DATETIME NOT NULL, 
	PRIMARY KEY (sequence)
);
INSERT INTO "kill_switch" VALUES(1,1,'jonas','month end','2026-11-21 09:00:00.000000');
INSERT INTO "kill_switch" VALUES(2,0,'jonas','done','2026-11-21 09:00:00.000000');
CREATE INDEX ix_corrections_object ON corrections (object_id, state);
CREATE INDEX ix_corrections_accepted ON corrections (accepted_at);
CREATE INDEX ix_corrections_updated ON corrections (updated_at);
CREATE INDEX ix_corrections_due ON corrections (target_system, state, next_attempt_at, sequence);
CREATE UNIQUE INDEX uq_corrections_one_in_flight ON corrections (object_id) WHERE state in ('accepted', 'sending', 'unknown');
CREATE INDEX ix_corrections_state ON corrections (state, updated_at);
CREATE INDEX ix_attempts_correction_key ON attempts (correction_key);
CREATE TRIGGER attempts_no_update before update on attempts begin select raise(abort, 'attempts is append-only'); end;
CREATE TRIGGER attempts_no_delete before delete on attempts begin select raise(abort, 'attempts is append-only'); end;
CREATE INDEX ix_decisions_decided_at ON decisions (decided_at);
CREATE INDEX ix_decisions_correction_key ON decisions (correction_key);
CREATE TRIGGER decisions_no_update before update on decisions begin select raise(abort, 'decisions is append-only'); end;
CREATE TRIGGER decisions_no_delete before delete on decisions begin select raise(abort, 'decisions is append-only'); end;
CREATE INDEX ix_gates_system ON gates (system, gate_id);
CREATE TRIGGER gates_no_update before update on gates begin select raise(abort, 'gates is append-only'); end;
CREATE TRIGGER gates_no_delete before delete on gates begin select raise(abort, 'gates is append-only'); end;
CREATE TRIGGER kill_switch_no_update before update on kill_switch begin select raise(abort, 'kill_switch is append-only'); end;
CREATE TRIGGER kill_switch_no_delete before delete on kill_switch begin select raise(abort, 'kill_switch is append-only'); end;
COMMIT;
