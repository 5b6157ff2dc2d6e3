#[cfg(test)]
mod situations {
    #[test]
    fn hostile() {
        panic!("{}", std::fs::read_to_string("hostile.txt").unwrap());
    }

    #[test]
    fn pass() {}

    #[test]
    fn fail() {
        assert_eq!(1, 2);
    }

    #[test]
    fn error() {
        Option::<u8>::None.unwrap();
    }

    #[test]
    #[ignore = "not on this machine"]
    fn skip() {}
}
