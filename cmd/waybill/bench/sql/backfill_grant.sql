GRANT SELECT, UPDATE ON bench_things TO waybill_app;
