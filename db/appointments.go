package db

import "time"

// LongestAppointment is what longest_appointment() says in SQL: a whole day, where the
// clocks are set back.
const LongestAppointment = 25 * time.Hour
