select now from fm_clock
