import { createClient } from "@waybill/client";

const { data } = await createClient({ baseUrl: location.origin }).GET("/livez");
document.title = data?.status ?? "not alive";
