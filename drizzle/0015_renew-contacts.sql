-- Contacts have another secret now: gateways that run with the former one register anew.
UPDATE "sip_trunks" SET "version" = "version" + 1 WHERE "authentication_mode" = 'outbound_registration';
