select fm_now_ms() as now
