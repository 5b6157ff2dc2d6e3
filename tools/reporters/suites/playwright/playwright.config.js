const includeRetries = process.env.INCLUDE_RETRIES === "1";
module.exports = { workers: 1, reporter: [["junit", { outputFile: "report.xml", includeRetries }]] };
