package db

import "time"

// LongestAppointment equals longest_appointment() in SQL: a whole day on which the clocks are set back.
const LongestAppointment = 25 * time.Hour
